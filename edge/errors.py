"""The errors that a user can cause, shared by every package.

TinySightError            anything of ours
└── UserError             one line: what was expected, what came, what to do; commands print it and exit 1
    └── MissingPackage    an extra isn't installed; the line carries the exact `pip install`
"""


class TinySightError(Exception):
    """Base of all errors that are raised on purpose."""


class UserError(TinySightError):
    """A mistake that the user can mend; its text is one line that says how."""


class MissingPackage(UserError):
    """A package of an optional extra isn't installed."""
