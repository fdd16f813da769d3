"""Task definitions as ECS stores them: the defaults filled in, "1 vCPU" turned into units, lists in an order of its own."""
import copy
import re

from .errors import Error

SIZES = {256: {512, 1024, 2048}, 512: set(range(1024, 4097, 1024)), 1024: set(range(2048, 8193, 1024)),
         2048: set(range(4096, 16385, 1024)), 4096: set(range(8192, 30721, 1024)), 8192: set(range(16384, 61441, 4096)),
         16384: set(range(32768, 122881, 8192))}
REQUEST = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "volumes", "placementConstraints", "requiresCompatibilities",
           "cpu", "memory", "pidMode", "ipcMode", "proxyConfiguration", "ephemeralStorage", "runtimePlatform", "enableFaultInjection")


def _units(text, unit):
    """"1 vCPU", ".5 vCPU", "2 GB" and plain numbers."""
    found = re.fullmatch(r"\s*(\d*\.?\d+)\s*(" + unit + r")?\s*", text, re.IGNORECASE)
    if not found:
        raise Error("ClientException", f"Invalid '{'memory' if unit == 'GB' else 'cpu'}' setting for task. For more information, see "
                    "the Troubleshooting section of the Amazon ECS Developer Guide.")
    return str(int(float(found[1]) * (1024 if found[2] else 1)))


def _store_container(container, awsvpc):
    stored = {"cpu": 0, "portMappings": [], "essential": True, "environment": [], "mountPoints": [], "volumesFrom": [],
              "systemControls": [], **copy.deepcopy(container)}
    for port in stored["portMappings"]:
        port.setdefault("protocol", "tcp")
        if awsvpc and "containerPort" in port:
            port.setdefault("hostPort", port["containerPort"])
        elif "containerPort" in port:
            port.setdefault("hostPort", 0)
    if "healthCheck" in stored:
        stored["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3, **stored["healthCheck"]}
    if "logConfiguration" in stored:
        stored["logConfiguration"] = {"options": {}, "secretOptions": [], **stored["logConfiguration"]}
    for mount in stored["mountPoints"]:
        mount.setdefault("readOnly", False)
    # The order of these is ECS's own business.
    for name in ("environment", "secrets"):
        if name in stored:
            stored[name] = sorted(stored[name], key=lambda e: e["name"][::-1])
    return stored


class TaskDefinitions:
    """Part of Ecs."""

    def _init_definitions(self):
        self.definitions = {}  # family: [stored, tags] by revision - 1

    def definition(self, name, what="TaskDefinition not found."):
        """The stored revision that a family, family:revision or ARN names."""
        short = name.rpartition("/")[2]
        family, _, revision = short.partition(":")
        found = [d for d, _ in self.definitions.get(family, [])]
        if revision:
            found = [d for d in found if str(d["revision"]) == revision]
        else:
            found = [d for d in found if d["status"] == "ACTIVE"][-1:]
        if not found:
            raise Error("ClientException", what)
        return found[0]

    def _check_fargate(self, p):
        if p.get("networkMode") != "awsvpc":
            raise Error("ClientException", "Fargate only supports network mode 'awsvpc'.")
        if "cpu" not in p or "memory" not in p:
            raise Error("ClientException", "Fargate requires that 'cpu' be defined at the task level.")
        cpu, memory = int(_units(p["cpu"], "vCPU")), int(_units(p["memory"], "GB"))
        if memory not in SIZES.get(cpu, ()):
            raise Error("ClientException", f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the "
                        "Amazon ECS documentation for the valid values.")
        for c in p["containerDefinitions"]:
            if c.get("privileged"):
                raise Error("ClientException", "Tasks using the Fargate launch type do not support privileged.")
            for port in c.get("portMappings", []):
                if port.get("hostPort", port.get("containerPort")) != port.get("containerPort"):
                    raise Error("ClientException", "When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
            if "executionRoleArn" not in p:
                if ".dkr.ecr." in c["image"]:
                    raise Error("ClientException", "Fargate requires task definition to have execution role ARN to support ECR images.")
                if c.get("logConfiguration", {}).get("logDriver") == "awslogs":
                    raise Error("ClientException", "Fargate requires task definition to have execution role ARN to support log driver awslogs.")
            log = c.get("logConfiguration", {})
            if log.get("logDriver") == "awslogs" and "awslogs-stream-prefix" not in log.get("options", {}):
                raise Error("ClientException", "Log driver awslogs requires options: awslogs-stream-prefix")

    def register_task_definition(self, p):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", p["family"]):
            raise Error("ClientException", "Family contains invalid characters.")
        if not p["containerDefinitions"] or not any(c.get("essential", True) for c in p["containerDefinitions"]):
            raise Error("ClientException", "At least one container must be marked as essential.")
        for c in p["containerDefinitions"]:
            if not c.get("name") or not c.get("image"):
                raise Error("ClientException", "Container.name and Container.image should not be null or empty.")
        fargate = "FARGATE" in p.get("requiresCompatibilities", [])
        if fargate:
            self._check_fargate(p)
        for role in ("executionRoleArn", "taskRoleArn"):
            if role in p and ":role/" not in p[role]:
                raise Error("ClientException", "Role is not valid")
        revisions = self.definitions.setdefault(p["family"], [])
        revision = len(revisions) + 1
        stored = {k: copy.deepcopy(p[k]) for k in REQUEST if k in p}
        stored.setdefault("networkMode", "bridge")
        for name in ("volumes", "placementConstraints"):
            stored.setdefault(name, [])
        for name, unit in (("cpu", "vCPU"), ("memory", "GB")):
            if name in stored:
                stored[name] = _units(stored[name], unit)
        stored.setdefault("enableFaultInjection", False)
        stored.update({
            "containerDefinitions": [_store_container(c, stored["networkMode"] == "awsvpc") for c in p["containerDefinitions"]],
            "taskDefinitionArn": self.cloud.arn("ecs", f"task-definition/{p['family']}:{revision}"), "revision": revision,
            "status": "ACTIVE", "compatibilities": ["EC2", "FARGATE"] if fargate else ["EXTERNAL", "EC2"],
            "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}, {"name": "ecs.capability.task-eni"}],
            "registeredAt": self.cloud.clock.now(), "registeredBy": self.cloud.who})
        revisions.append((stored, list(p.get("tags", []))))
        answer = {"taskDefinition": copy.deepcopy(stored)}
        return {**answer, "tags": p["tags"]} if p.get("tags") else answer

    def describe_task_definition(self, p):
        found = self.definition(p["taskDefinition"], "Unable to describe task definition.")
        answer = {"taskDefinition": copy.deepcopy(found)}
        if "TAGS" in p.get("include", []):
            answer["tags"] = self.definitions[found["family"]][found["revision"] - 1][1]
        return answer

    def deregister_task_definition(self, p):
        if ":" not in p["taskDefinition"].rpartition("/")[2]:
            raise Error("ClientException", "Invalid revision number. Number: null")
        found = self.definition(p["taskDefinition"], "Unable to describe task definition.")
        found["status"], found["deregisteredAt"] = "INACTIVE", self.cloud.clock.now()
        return {"taskDefinition": copy.deepcopy(found)}

    def delete_task_definitions(self, p):
        deleted = []
        for name in p["taskDefinitions"]:
            found = self.definition(name)
            if found["status"] == "ACTIVE":
                return {"taskDefinitions": deleted, "failures": [{"arn": name, "reason": "The specified task definition is still in ACTIVE "
                                                                  "status. Please deregister the target and try again."}]}
            found["status"] = "DELETE_IN_PROGRESS"
            deleted.append(copy.deepcopy(found))
        return {"taskDefinitions": deleted, "failures": []}

    def list_task_definitions(self, p):
        found = []
        for family in sorted(self.definitions):
            if family == p.get("familyPrefix", family):
                found += [d["taskDefinitionArn"] for d, _ in self.definitions[family] if d["status"] == p.get("status", "ACTIVE")]
        if p.get("sort") == "DESC":
            found.reverse()
        return self.page(found, p, "taskDefinitionArns")

    def list_task_definition_families(self, p):
        found = [f for f in sorted(self.definitions) if f.startswith(p.get("familyPrefix", ""))
                 and (p.get("status", "ACTIVE") != "ACTIVE" or any(d["status"] == "ACTIVE" for d, _ in self.definitions[f]))]
        return self.page(found, p, "families")
