"""What the guards look at: the project's modules, its tracked files, the wheel that it makes."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

from tests.requirements import missing_tool

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("train", "convert", "edge", "benchmarks", "webdemo")


def module_files(*packages: str) -> list[Path]:
    """Return every Python file of the packages, relative to the root; without a name those of all."""
    return sorted(path.relative_to(ROOT) for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the name by which a file is imported."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def command_files() -> list[Path]:
    """Return the files that are run as commands: those with an `if __name__ == "__main__"`."""
    return [path for path in module_files() if is_command((ROOT / path).read_text(encoding="utf-8"))]


def is_command(source: str) -> bool:
    """Tell whether a source does something when it is run."""
    return any(
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and ast.unparse(node.test) == "__name__ == '__main__'"
        for node in ast.parse(source).body
    )


def project_files(*folders: str) -> list[Path]:
    """Return the files of the tree that belong to the project (all but what .gitignore names), relative to the root."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        missing_tool("needs git and a clone, to tell the project's files from others")
    line = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    names = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted({Path(name) for name in names.split("\0") if name and (ROOT / name).is_file()})


def build_wheel(folder: Path) -> Path:
    """Build the wheel into `folder` with the environment's own hatchling, so without network, and return its path."""
    line = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"hatchling built no wheel: {done.stderr}")
    (wheel,) = folder.glob("*.whl")
    return wheel
