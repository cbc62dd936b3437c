"""Study files: YAML that is checked field by field, every mistake with its line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lmgt_core.errors import UserError
from lmgt_core.study.app import Field, Scalar, StudyApp
from lmgt_core.study.plan import Plan, Show

TOP = ("question", "vary", "fixed", "also", "seeds", "show")
SHOWN = ("x", "by", "facet", "metrics", "kind", "break_even")
MOST_CELLS = 100_000


def load_plan(name: str, app: StudyApp) -> Plan:
    """The plan in the file `name` (.yaml, .yml), or of the app's preset of that name; UserError with every mistake."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else app.presets / f"{name}.yaml"
    if not path.is_file():
        if path.parent == app.presets:
            raise UserError(f"study {name}: {app.name} has no such study; choose one of {', '.join(preset_names(app))}")
        raise UserError(f"{path}: no such study file")
    return parse_plan(path.read_text(encoding="utf-8"), path, app)


def preset_names(app: StudyApp) -> list[str]:
    """The studies that an app brings along."""
    return sorted(path.stem for path in app.presets.glob("*.yaml"))


def parse_plan(text: str, path: Path, app: StudyApp) -> Plan:
    """The plan that `text` describes; `path` names it in messages."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: is not YAML ({getattr(error, 'problem', error)})") from None
    reader = _Reader(path, app)
    plan = reader.plan(root, path.stem)
    if reader.errors or plan is None:
        raise UserError("; ".join(reader.errors))
    return plan


class _Reader:
    """Walks the nodes of a file and collects what is wrong with them."""

    def __init__(self, path: Path, app: StudyApp) -> None:
        self.path, self.app = path, app
        self.errors: list[str] = []

    def wrong(self, node: yaml.Node | None, message: str) -> None:
        line = node.start_mark.line + 1 if node is not None else 1
        self.errors.append(f"{self.path}:{line}: {message}")

    def plan(self, root: yaml.Node | None, name: str) -> Plan | None:
        parts = self._mapping(root, "a study", TOP)
        for needed in ("question", "vary", "show"):
            if needed not in parts and not self.errors:
                self.wrong(root, f"{needed} is missing")
        if self.errors:
            return None
        vary = {field: self._values(field, node) for field, node in self._settings(parts["vary"]).items()}
        fixed = {field: self._value(field, node) for field, node in self._settings(parts.get("fixed")).items()}
        also = [
            {field: self._value(field, node) for field, node in self._settings(item).items()}
            for item in self._items(parts.get("also"), "also")
        ]
        for field in set(vary) & set(fixed):
            self.wrong(parts["fixed"], f"{field} is both varied and fixed")
        seeds = self._seeds(parts.get("seeds"))
        show = self._show(parts["show"], vary)
        if self.errors or show is None:
            return None
        question = str(self._plain(parts["question"]))
        defaults = {name: field.default for name, field in self.app.fields.items()}
        plan = Plan(name, self.app.name, question, vary, fixed, also, seeds, show, defaults)
        self._check(plan, root)
        return plan

    def _mapping(self, node: yaml.Node | None, what: str, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{what} is a mapping of {', '.join(known)}")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.value not in known:
                self.wrong(key, f"{key.value}: no such field; there are: {', '.join(known)}")
            elif key.value in found:
                self.wrong(key, f"{key.value} is given twice")
            else:
                found[key.value] = value
        return found

    def _settings(self, node: yaml.Node | None) -> dict[str, yaml.Node]:
        return {} if node is None else self._mapping(node, "this part", tuple(self.app.fields))

    def _items(self, node: yaml.Node | None, what: str) -> list[yaml.Node]:
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, f"{what} is a list")
            return []
        return list(node.value)

    def _values(self, field: str, node: yaml.Node) -> list[Scalar]:
        values = [self._value(field, item) for item in self._items(node, field)]
        if not values:
            self.wrong(node, f"{field} needs a list of values")
        if len({repr(v) for v in values}) < len(values):
            self.wrong(node, f"{field} names a value twice")
        return values

    def _value(self, field: str, node: yaml.Node) -> Scalar:
        value, spec = self._plain(node), self.app.fields[field]
        if not fits(value, spec):
            wanted = f"{type(spec.default).__name__}{' or null' if spec.optional else ''}"
            self.wrong(node, f"{field} is a {wanted}, not {value!r}")
        return float(value) if isinstance(spec.default, float) and isinstance(value, int) else value

    def _plain(self, node: yaml.Node) -> Any:
        construct: Callable[[yaml.Node], Any] = yaml.SafeLoader("").construct_document
        try:
            return construct(node)
        except yaml.YAMLError as error:  # a tag that would build an object
            self.wrong(node, f"{getattr(error, 'problem', error)}")
            return None

    def _seeds(self, node: yaml.Node | None) -> int:
        value = 5 if node is None else self._plain(node)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.wrong(node, f"seeds is a whole number of at least 1, not {value!r}")
            return 1
        return value

    def _show(self, node: yaml.Node, vary: Mapping[str, Any]) -> Show | None:
        parts = {name: self._plain(value) for name, value in self._mapping(node, "show", SHOWN).items()}
        for name in ("x", "by", "facet"):
            if name in parts and parts[name] not in vary:
                self.wrong(node, f"show.{name}: {parts[name]!r} does not vary; there are: {', '.join(vary)}")
        for needed in ("x", "by", "metrics"):
            if needed not in parts:
                self.wrong(node, f"show.{needed} is missing")
        metrics = parts.get("metrics", [])
        for metric in metrics if isinstance(metrics, list) else [metrics]:
            if metric not in self.app.metrics:
                self.wrong(node, f"show.metrics: no metric {metric!r}; there are: {', '.join(self.app.metrics)}")
        if parts.get("kind", "lines") not in ("lines", "heat"):
            self.wrong(node, f"show.kind is lines or heat, not {parts['kind']!r}")
        if self.errors:
            return None
        return Show(**{**parts, "metrics": tuple(metrics)})

    def _check(self, plan: Plan, root: yaml.Node | None) -> None:
        groups = plan.groups()
        if len(groups) * plan.seeds > MOST_CELLS:
            self.wrong(root, f"{len(groups)} settings and {plan.seeds} seeds are more than {MOST_CELLS:,} trainings")
            return
        for settings in groups:
            try:
                self.app.check(settings)
            except UserError as error:
                message = f"{self.path}:{self._line(root, settings, str(error))}: {error}"
                if message not in self.errors:
                    self.errors.append(message)

    def _line(self, root: yaml.Node | None, settings: Mapping[str, Scalar], message: str) -> int:
        """The line of the value that the app complained about: the first whose field and text its message holds."""
        for node in _scalars(root):
            named = any(field in message and str(value) == node.value for field, value in settings.items())
            if named and node.value and node.value in message:
                return int(node.start_mark.line) + 1
        return 1


def fits(value: Any, field: Field) -> bool:
    """Whether `value` is of the field's type; whole numbers pass for fractions, true and false for nothing else."""
    if value is None:
        return field.optional
    if isinstance(field.default, bool) or isinstance(value, bool):
        return isinstance(field.default, bool) and isinstance(value, bool)
    if isinstance(field.default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(field.default)) if field.default is not None else isinstance(value, int | float | str)


def _scalars(node: yaml.Node | None) -> list[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        return [node]
    if isinstance(node, yaml.MappingNode):
        return [scalar for _, value in node.value for scalar in _scalars(value)]
    return [scalar for item in node.value for scalar in _scalars(item)] if isinstance(node, yaml.SequenceNode) else []
