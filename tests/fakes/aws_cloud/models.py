"""AWS's own service models (botocore's service-2.json): what a request must look like, and how an answer is written.

JSON bodies are held against the model as they are; forms of the query and EC2 protocols are read back by it. A member that
the model does not know, a missing one, a wrong type, an unknown value of an enumeration: Invalid. Answers go through the
same check, so that the fake cannot say what AWS cannot say."""
import datetime
import decimal
import functools
import json
import pathlib
import re
import xml.sax.saxutils

import botocore.loaders
import botocore.model
import botocore.validate

TOP = pathlib.Path(__file__).resolve().parents[3]
# name here: (botocore's name, signing name)
SERVICES = {
    "sts": "sts", "ecr": "ecr", "ecs": "ecs", "iam": "iam", "ec2": "ec2", "logs": "logs", "elbv2": "elasticloadbalancing",
    "application-autoscaling": "application-autoscaling", "ssm": "ssm", "secretsmanager": "secretsmanager",
}


class Invalid(Exception):
    """A request that the service would not understand."""


def data_folder():
    """Where the newest models are: those of the moto that ./dev installs, Debian's being of 2023."""
    found = sorted(TOP.glob(".dev/moto/lib/python3*/site-packages/botocore/data"))
    return str(found[-1]) if found else None


@functools.lru_cache(None)
def loader():
    return botocore.loaders.Loader(extra_search_paths=[data_folder()] if data_folder() else [])


@functools.lru_cache(None)
def model(service):
    return botocore.model.ServiceModel(loader().load_service_model(service, "service-2"), service)


def recent():
    """Whether the models know the deployments of services, which are of 2024."""
    return "ListServiceDeployments" in model("ecs").operation_names


@functools.lru_cache(None)
def routes():
    """(target prefix or version): service."""
    found = {}
    for service in SERVICES:
        metadata = model(service).metadata
        found[metadata.get("targetPrefix") or metadata["apiVersion"]] = service
    return found


def protocol(service):
    return model(service).metadata["protocol"]


def check(shape, value, where="input"):
    """Raises Invalid for what ParamValidator finds, and for values that no enumeration and pattern-free limit allows."""
    if shape is None:
        if value:
            raise Invalid(f"{where}: takes no parameters, not {value}")
        return
    report = botocore.validate.ParamValidator().validate(value, shape)
    if report.has_errors():
        raise Invalid(f"{where}: {report.generate_report()}")
    _check_values(shape, value, where)


def _check_values(shape, value, where):
    if shape.type_name == "structure":
        for name, member in value.items():
            if member is not None:
                _check_values(shape.members[name], member, f"{where}.{name}")
    elif shape.type_name == "list":
        for i, member in enumerate(value):
            _check_values(shape.member, member, f"{where}[{i}]")
    elif shape.type_name == "map":
        for name, member in value.items():
            _check_values(shape.value, member, f"{where}.{name}")
    elif shape.type_name == "string":
        allowed = shape.metadata.get("enum")
        if allowed and value not in allowed:
            raise Invalid(f"{where}: {value!r} is none of {', '.join(allowed)}")
        longest = shape.metadata.get("max")
        if longest and len(value) > longest:
            raise Invalid(f"{where}: {value!r} is longer than {longest}")


# ---- forms ---------------------------------------------------------------------

def read_form(service, operation, form):
    """The parameters of a query or EC2 request, typed as the model types them."""
    ec2 = protocol(service) == "ec2"
    left = {k: v for k, v in form.items() if k not in ("Action", "Version")}
    shape = model(service).operation_model(operation).input_shape
    value = _read_structure(shape, left, "", ec2) if shape else {}
    if left:
        raise Invalid(f"{operation} does not know {', '.join(sorted(left))}")
    return value


def _member_key(name, shape, ec2):
    if ec2:
        if "queryName" in shape.serialization:
            return shape.serialization["queryName"]
        wire = shape.serialization.get("name", name)
        return wire[0].upper() + wire[1:]
    return shape.serialization.get("name", name)


def _has(left, prefix):
    return prefix in left or any(k.startswith(prefix + ".") for k in left)


def _read_structure(shape, left, prefix, ec2):
    value = {}
    for name, member in shape.members.items():
        key = prefix + _member_key(name, member, ec2)
        if member.type_name == "list" and not ec2 and member.serialization.get("flattened"):
            key = prefix + member.member.serialization.get("name", _member_key(name, member, ec2))
        if _has(left, key):
            value[name] = _read(member, left, key, ec2)
    return value


def _read(shape, left, key, ec2):
    kind = shape.type_name
    if kind == "structure":
        return _read_structure(shape, left, key + ".", ec2)
    if kind == "list":
        return _read_list(shape, left, key, ec2)
    if kind == "map":
        return _read_map(shape, left, key, ec2)
    if key not in left:
        raise Invalid(f"{key} is a {kind}, and has members here")
    return _scalar(kind, left.pop(key), key)


def _read_list(shape, left, key, ec2):
    if left.get(key) == "":
        left.pop(key)
        return []
    flat = ec2 or shape.serialization.get("flattened")
    base = key if flat else f"{key}.{shape.member.serialization.get('name', 'member')}"
    value, n = [], 1
    while _has(left, f"{base}.{n}"):
        value.append(_read(shape.member, left, f"{base}.{n}", ec2))
        n += 1
    return value


def _read_map(shape, left, key, ec2):
    base = key if shape.serialization.get("flattened") else key + ".entry"
    value, n = {}, 1
    while _has(left, f"{base}.{n}"):
        name = _read(shape.key, left, f"{base}.{n}.{shape.key.serialization.get('name', 'key')}", ec2)
        value[name] = _read(shape.value, left, f"{base}.{n}.{shape.value.serialization.get('name', 'value')}", ec2)
        n += 1
    return value


def _scalar(kind, text, key):
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
    except ValueError:
        raise Invalid(f"{key}: {text!r} is no number") from None
    if kind == "boolean":
        if text not in ("true", "false"):
            raise Invalid(f"{key}: {text!r} is neither true nor false")
        return text == "true"
    return text


# ---- answers -------------------------------------------------------------------

def _plain(value):
    """JSON of a JSON 1.1 answer: times are seconds."""
    if isinstance(value, datetime.datetime):
        return float(decimal.Decimal(str(value.timestamp())).quantize(decimal.Decimal("0.001")))
    raise TypeError(f"cannot write {value!r}")


def write(service, operation, value, request_id):
    """(content type, body) of an answer."""
    shape = model(service).operation_model(operation).output_shape
    check(shape, value, f"the answer of {operation}")
    if protocol(service) == "json":
        return "application/x-amz-json-1.1", json.dumps(value, default=_plain).encode()
    space = model(service).metadata["xmlNamespace"]
    inner = _xml_members(shape, value, protocol(service) == "ec2") if shape else ""
    if protocol(service) == "ec2":
        body = f"<requestId>{request_id}</requestId>{inner}"
    else:
        wrapper = shape.serialization.get("resultWrapper") if shape else None
        if wrapper:
            inner = f"<{wrapper}>{inner}</{wrapper}>"
        body = f"{inner}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    return "text/xml;charset=UTF-8", (f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{space}">{body}'
                                      f"</{operation}Response>").encode()


def _xml_members(shape, value, ec2):
    text = ""
    for name, member in shape.members.items():
        if value.get(name) is not None:
            text += _xml(member, value[name], member.serialization.get("name", name), ec2)
    return text


def _xml(shape, value, tag, ec2):
    kind = shape.type_name
    if kind == "structure":
        return f"<{tag}>{_xml_members(shape, value, ec2)}</{tag}>"
    if kind == "list":
        item = shape.member.serialization.get("name", "item" if ec2 else "member")
        if shape.serialization.get("flattened"):
            return "".join(_xml(shape.member, v, tag, ec2) for v in value)
        return f"<{tag}>{''.join(_xml(shape.member, v, item, ec2) for v in value)}</{tag}>"
    if kind == "map":
        entries = "".join(f"<entry>{_xml(shape.key, k, 'key', ec2)}{_xml(shape.value, v, 'value', ec2)}</entry>"
                          for k, v in value.items())
        return f"<{tag}>{entries}</{tag}>"
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, datetime.datetime):
        value = value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return f"<{tag}>{xml.sax.saxutils.escape(str(value))}</{tag}>"


def attribute(operation):
    """DescribeTasks: describe_tasks, the name of a handler."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z])(?=[a-z])", lambda m: "_" + m.group(0), operation).lower()
