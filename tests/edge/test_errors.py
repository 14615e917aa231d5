from edge import errors


def test_the_tree_is_the_one_drawn():
    assert issubclass(errors.MissingPackage, errors.UserError)
    assert issubclass(errors.UserError, errors.TinySightError)
    assert issubclass(errors.TinySightError, Exception)
    assert all(name in (errors.__doc__ or "") for name in ("TinySightError", "UserError", "MissingPackage"))
