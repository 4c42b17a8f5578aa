"""Kustomize, built once into the cache, and the schemas that Kubernetes and two operators publish inside their Go modules, made strict."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import yaml
from jsonschema import Draft202012Validator

from otel_agents.stack import build, home

Json = dict[str, Any]
KUBERNETES = home.collector() / "kubernetes"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1"
KUBERNETES_MODULE = "k8s.io/kubernetes@v1.36.3"
OPENTELEMETRY_OPERATOR = "github.com/open-telemetry/opentelemetry-operator@v0.141.0"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
PUBLISHED = {  # what is kept of each module
    KUBERNETES_MODULE: ("api/openapi-spec/swagger.json",),
    OPENTELEMETRY_OPERATOR: (
        "config/crd/bases/opentelemetry.io_instrumentations.yaml",
        "config/crd/bases/opentelemetry.io_opentelemetrycollectors.yaml",
        "internal/instrumentation/python.go",
    ),
    PROMETHEUS_OPERATOR: (
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
    ),
}
EITHER = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
ABOUT = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LOOSE = {  # written as strings or numbers, described as strings
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": EITHER,
}
OPEN, UNSAID = "x-kubernetes-preserve-unknown-fields", ("description", "default", "format")
Kind = tuple[str, str]  # apiVersion, kind


def go(*words: str, **variables: str) -> str:
    """Run Go outside of any module of ours."""
    given = {**os.environ, **build.go_environment(Path()), **variables}
    done = subprocess.run(["go", *words], capture_output=True, text=True, env=given, cwd=home.cache(), check=False)
    assert done.returncode == 0, f"go {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def kept(name: str) -> Path:
    home.cache().mkdir(parents=True, exist_ok=True)
    return home.cache() / name.rpartition("/")[2].replace("@", "-")


@cache
def kustomize() -> Path:
    """The binary of the version named above."""
    folder = kept(KUSTOMIZE.replace("/v5@", "@"))
    with build.locked(folder.with_suffix(".lock")):
        if not (folder / "kustomize").exists():
            go("install", "-trimpath", "-ldflags=-s -w", KUSTOMIZE, GOBIN=str(folder))
    return folder / "kustomize"


@cache
def published(module: str) -> Path:
    """A folder with what is kept of the module."""
    folder = kept(module)
    with build.locked(folder.with_suffix(".lock")):
        missing = [name for name in PUBLISHED[module] if not (folder / name).exists()]
        source = Path(json.loads(go("mod", "download", "-json", module))["Dir"]) if missing else folder
        for name in missing:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    return folder


def objects(folder: Path) -> list[Json]:
    """What `kustomize build` makes of the folder, with its default restrictions, which are kubectl's, too."""
    done = subprocess.run([str(kustomize()), "build", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "it warns"
    return [found for found in yaml.load_all(done.stdout, yaml.CSafeLoader) if found]


# ------------------------------------------------------------------------------------------------ schemas


def closed(schema: Any, *, structural: bool) -> Any:
    """The schema with unknown fields as errors. structural: a custom resource's, whose objects have no field that is not said, unless they say so."""
    if isinstance(schema, list):
        return [closed(part, structural=structural) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return EITHER
    done = {}
    for name, part in schema.items():
        if name in ("properties", "definitions"):
            done[name] = {key: closed(value, structural=structural) for key, value in part.items()}
        elif name not in UNSAID and not name.startswith("x-"):
            done[name] = closed(part, structural=structural)
    says = "properties" in schema or (structural and schema.get("type") == "object")
    if says and "additionalProperties" not in schema and not schema.get(OPEN):
        done["additionalProperties"] = False
    return done


@cache
def core() -> tuple[Json, dict[Kind, str]]:
    """Kubernetes' own definitions, and which of them is which kind."""
    swagger = orjson.loads((published(KUBERNETES_MODULE) / PUBLISHED[KUBERNETES_MODULE][0]).read_bytes())
    kinds = {
        ("/".join(filter(None, (kind["group"], kind["version"]))), kind["kind"]): name
        for name, definition in swagger["definitions"].items()
        for kind in definition.get("x-kubernetes-group-version-kind", [])
        if len(definition["x-kubernetes-group-version-kind"]) == 1
    }
    return closed({"definitions": swagger["definitions"]}, structural=False)["definitions"] | LOOSE, kinds


@cache
def custom() -> dict[Kind, Json]:
    """The schemas of custom resources."""
    found = {}
    for module in (OPENTELEMETRY_OPERATOR, PROMETHEUS_OPERATOR):
        for name in PUBLISHED[module]:
            if name.endswith(".yaml"):
                found |= dict(of_definition(yaml.load((published(module) / name).read_text(), yaml.CSafeLoader)["spec"]))
    return found


def of_definition(spec: Json) -> Iterator[tuple[Kind, Json]]:
    for version in spec["versions"]:
        schema = closed(copy.deepcopy(version["schema"]["openAPIV3Schema"]), structural=True)
        schema["properties"]["metadata"] = {"$ref": f"#/definitions/{ABOUT}"}
        yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), schema


@cache
def validator(kind: Kind) -> Draft202012Validator:
    definitions, kinds = core()
    schema = custom().get(kind) or {"$ref": f"#/definitions/{kinds[kind]}"}
    return Draft202012Validator({**schema, "definitions": definitions})


def mistakes(found: Json) -> list[str]:
    """What the published schema of its kind finds wrong with the object."""
    errors = validator((found["apiVersion"], found["kind"])).iter_errors(found)
    return [f"{found['kind']} {found['metadata']['name']}: {error.json_path}: {error.message[:200]}" for error in errors]
