"""The settings as a pydantic-settings model: it judges what people write in files, arguments and variables, and gives editors a JSON schema of the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from otel_agents.config import parsers
from otel_agents.config.definitions import SECTION_TYPES
from otel_agents.config.sources import ALIASES, Found, Given, Layer
from otel_agents.config.values import KNOBS, KNOWN, OTLP, ROUTES, ROWS, SECTIONS, Settings, made, segment_fault
from otel_agents.otlp.signals import SIGNALS
from otel_agents.redaction.messages import line, wrong

REFUSALS: Final = {  # of pydantic's, where no parser of ours says it
    "string_type": "is not text",
    "list_type": "is not a list of names",
    "dict_type": "is not a table of names",
    "float_type": "is not a number",
    "int_type": "is not a whole number, 1 or more",
    "greater_than_equal": "is not a whole number, 1 or more",
}


class Accepted(PydanticBaseSettingsSource):
    """One source without the values that their settings refuse; each of those is reported in a line, and the next source's value counts."""

    def __init__(self, model: type[BaseSettings], layer: Layer, problems: list[str]) -> None:
        super().__init__(model)
        self.layer, self.problems = layer, problems

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self.layer[field_name].value, field_name, False

    def __call__(self) -> dict[str, Any]:
        for name in list(self.layer):
            if fault := fault_of(self.settings_cls.model_fields[name], self.layer[name].value):
                self.problems.append(explained(name, self.layer.pop(name), fault))
        return {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items() if name in self.layer}


class FromFound(BaseSettings):
    """The sources, strongest first, as `gather` found them: it knows the line of each key and who set what, which pydantic-settings' own do not."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=False, title="otel-agents")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(init_settings, InitSettingsSource)  # as pydantic-settings documents
        found: Found = init_settings.init_kwargs["found"]
        return tuple(Accepted(settings_cls, layer, found.problems) for layer in found.layers)


SECRETS = Annotated[dict[str, SecretStr], BeforeValidator(parsers.headers, json_schema_input_type=dict[str, str] | str)]


def declared() -> dict[str, Any]:
    """The model's fields: the rows of Settings, those of OTLP one by one, the sections with the types of their entries."""
    plain = {name: field_of(Annotated[Any, kind], ROWS[name].default, ROWS[name].metadata["about"]) for name, kind in KNOBS.items() if name != "otlp"}
    sections = {name: field_of(kind, None, ROWS[name].metadata["about"]) for name, kind in SECTION_TYPES.items()}
    routes = {
        f"otlp_{route}{name}": field_of(SECRETS if name == "headers" else Annotated[Any, kind], None, about)
        for route in ROUTES
        for name, (kind, about) in OTLP.items()
    }
    return plain | sections | routes


def field_of(kind: Any, default: Any, about: str) -> tuple[Any, Any]:
    return kind, Field(default=default, description=about)


Model: Final[type[FromFound]] = create_model("Model", __base__=FromFound, **declared())


def judged(found: Found) -> tuple[Settings, list[str]]:
    """Settings of all that can be used, and a line about each value that cannot."""
    model = Model(**{"found": found})
    values = {name: revealed(getattr(model, name)) for name in model.model_fields_set}
    if fault := segment_fault(values):
        found.problems.append(explained("journal_rotate_bytes", found.merged()["journal_rotate_bytes"], fault))
        found.drop("journal_rotate_bytes")
        return judged(found)
    return made(values, found.origins()), [line(one) for one in found.problems]


def revealed(value: Any) -> Any:
    """A setting's value, as what sends it needs it: only the model hides its secrets."""
    secret = isinstance(value, dict) and any(isinstance(held, SecretStr) for held in value.values())
    return {name: held.get_secret_value() for name, held in value.items()} if secret else value


def fault_of(field: FieldInfo, value: Any) -> str:
    """What is wrong with a value, if anything is, and what to write instead."""
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, *field.metadata])  # type: ignore[arg-type]  # known only here
        adapter.validate_python(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        said = problem.get("ctx", {}).get("error") or REFUSALS.get(problem["type"], problem["msg"])
        return " ".join(filter(None, (".".join(map(str, problem["loc"])), str(said))))
    return ""


def explained(name: str, given: Given, fault: str) -> str:
    return f"{given.label} {fault}" if name in SECTIONS else f"{given.label}={wrong(name, given.shown)} {fault}"


# for editors

GROUPS: Final = {"service": (), "journal": (), "content": (), "ship": (), "metrics": (), "logs": (), "otlp": SIGNALS}  # what a file may write as tables


def schema() -> dict[str, Any]:
    """The JSON schema of otel-agents.yaml, for editors: every name, alone (`journal_dir`) and in its group (`journal: {dir: …}`)."""
    described = Model.model_json_schema()
    known = {name: without_null(described["properties"][name]) for name in sorted(KNOWN - {"config_file"})}
    spelled = known | {alias: known[name] for alias, name in ALIASES.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "otel-agents.yaml",
        "$defs": described["$defs"],
        **table(spelled, GROUPS),
    }


def table(names: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Any]:
    """A table of these names, in which those of a group may stand together; other spellings with dashes are left to `config check`."""
    inner = {group: {name.removeprefix(f"{group}_"): one for name, one in names.items() if name.startswith(f"{group}_")} for group in groups}
    nested = {group: table(members, dict.fromkeys(groups[group], ())) for group, members in inner.items()}
    either = {group: {"anyOf": [names[group], one]} if group in names else one for group, one in nested.items()}
    return {"type": "object", "properties": {**names, **either}, "patternProperties": {"-": {}}, "additionalProperties": False}


def without_null(described: Mapping[str, Any]) -> dict[str, Any]:
    """A setting's schema without the title that pydantic makes of its name, and without a default that only means unset."""
    return {key: value for key, value in described.items() if key != "title" and (key, value) != ("default", None)}
