"""Tasks: RunTask, what they go through, their network interfaces and logs."""
import copy
import uuid

from . import scenarios
from .errors import Error


class Task:
    """One task. data is what DescribeTasks shows."""

    def __init__(self, ecs, definition, p, group, started_by):
        self.ecs, self.cloud, self.clock, self.definition = ecs, ecs.cloud, ecs.cloud.clock, definition
        self.id = uuid.uuid4().hex
        self.on_change = None  # called after a change of state, with the task
        cluster = ecs.cluster(p)
        self.fargate = p.get("launchType", "FARGATE" if "capacityProviderStrategy" in p else "EC2") == "FARGATE"
        self.network = p.get("networkConfiguration", {}).get("awsvpcConfiguration")
        arn = self.cloud.arn("ecs", f"task/{cluster['clusterName']}/{self.id}")
        overrides = p.get("overrides", {})
        self.data = {
            "taskArn": arn, "clusterArn": cluster["clusterArn"], "taskDefinitionArn": definition["taskDefinitionArn"], "group": group,
            "lastStatus": "PROVISIONING", "desiredStatus": "RUNNING", "createdAt": self.clock.now(), "version": 1, "tags": p.get("tags", []),
            "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides}, "attachments": [], "attributes": [],
            "cpu": definition.get("cpu", "0"), "memory": definition.get("memory", "0"), "enableExecuteCommand": p.get("enableExecuteCommand", False),
            "healthStatus": "UNKNOWN", "availabilityZone": self.cloud.region + "a",
            "containers": [{"containerArn": self.cloud.arn("ecs", f"container/{cluster['clusterName']}/{self.id}/{uuid.uuid4()}"),
                            "taskArn": arn, "name": c["name"], "image": c["image"], "lastStatus": "PENDING", "networkInterfaces": [],
                            "networkBindings": [], "cpu": str(c.get("cpu", 0)), "healthStatus": "UNKNOWN"}
                           for c in definition["containerDefinitions"]]}
        if self.fargate:
            self.data.update({"launchType": "FARGATE", "platformVersion": "1.4.0", "platformFamily": "Linux",
                              "ephemeralStorage": definition.get("ephemeralStorage", {"sizeInGiB": 20})})
        else:
            self.data.update({"launchType": "EC2", "containerInstanceArn": ecs.instances[cluster["clusterName"]][0]})
        if started_by:
            self.data["startedBy"] = started_by
        if self.network:
            self._attach()
        self.ecs.tasks[arn] = self
        scenario = self.ecs.scenario(definition)
        (scenarios.missing_facts(self.cloud, self) or scenario).play(self)

    def _attach(self):
        public = self.network.get("assignPublicIp", "DISABLED") == "ENABLED"
        subnet = self.network["subnets"][0]
        vpc = self.cloud.ec2.subnets[subnet]["VpcId"]
        groups = self.network.get("securityGroups") or [
            g["GroupId"] for g in self.cloud.ec2.groups.values() if g["VpcId"] == vpc and g["GroupName"] == "default"]
        self.interface = self.cloud.ec2.add_interface(subnet, groups, public and self.cloud.ec2.route(subnet) == "igw")
        details = {"subnetId": subnet, "networkInterfaceId": self.interface["NetworkInterfaceId"],
                   "macAddress": self.interface["MacAddress"], "privateIPv4Address": self.interface["PrivateIpAddress"]}
        self.data["attachments"] = [{"id": str(uuid.uuid4()), "type": "ElasticNetworkInterface", "status": "PRECREATED",
                                     "details": [{"name": "subnetId", "value": subnet}]}]
        self.details = [{"name": k, "value": v} for k, v in details.items()]

    def reaches_internet(self):
        """Whether ECR and Secrets Manager can be reached, without endpoints of the VPC."""
        way = self.cloud.ec2.route(self.network["subnets"][0])
        return way == "nat" or (way == "igw" and "Association" in self.interface) or bool(self.cloud.ec2.endpoints)

    def alive(self):
        return self.data["desiredStatus"] == "RUNNING" and self.data["lastStatus"] != "STOPPED"

    def move(self, status):
        self.data["lastStatus"] = status
        self.data["version"] += 1
        if self.on_change:
            self.on_change(self)

    def pull(self):
        if self.alive():
            if self.network:
                self.data["attachments"][0].update(status="ATTACHED", details=self.details)
            self.data.update(pullStartedAt=self.clock.now(), connectivity="CONNECTED", connectivityAt=self.clock.now())
            self.move("PENDING")

    def run(self):
        self.data.update(startedAt=self.clock.now(), pullStoppedAt=self.clock.now())
        for own, defined in zip(self.data["containers"], self.definition["containerDefinitions"]):
            own.update(lastStatus="RUNNING", runtimeId=f"{self.id}-{len(own['name'])}")
            if "@" in own["image"]:
                own["imageDigest"] = own["image"].partition("@")[2]
            if self.network:
                own["networkInterfaces"] = [{"attachmentId": self.data["attachments"][0]["id"],
                                             "privateIpv4Address": self.interface["PrivateIpAddress"]}]
            if "healthCheck" in defined:
                own["healthStatus"] = self.data["healthStatus"] = "HEALTHY"
        self.move("RUNNING")
        return True

    def write(self, lines):
        """Lines of the first container's output, at the driver's place."""
        container = self.definition["containerDefinitions"][0]
        log = container.get("logConfiguration", {})
        if log.get("logDriver") == "awslogs":
            options = log["options"]
            self.cloud.logs.put(options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{container['name']}/{self.id}", lines)

    def unhealthy(self):
        self.data["healthStatus"] = self.data["containers"][0]["healthStatus"] = "UNHEALTHY"
        self.move("RUNNING")

    def end(self, code, reason, exit_code=None, container_reason=None):
        """Stops it: the first container with that exit code, the others as SIGTERM leaves them."""
        if not self.alive():
            return
        ran = self.data["lastStatus"] == "RUNNING"
        self.data.update(desiredStatus="STOPPED", stopCode=code, stoppedReason=reason, stoppingAt=self.clock.now(),
                         executionStoppedAt=self.clock.now())
        for i, container in enumerate(self.data["containers"]):
            container["lastStatus"] = "STOPPED"
            if ran and exit_code is not None:
                container["exitCode"] = exit_code if i == 0 else 143
            if i == 0 and container_reason:
                container["reason"] = container_reason
        self.move("DEPROVISIONING")
        self.clock.after(1, self._gone)

    def _gone(self):
        if self.network:
            self.cloud.ec2.remove_interface(self.interface["NetworkInterfaceId"])
            self.data["attachments"][0]["status"] = "DELETED"
        self.data["stoppedAt"] = self.clock.now()
        self.move("STOPPED")
        self.cloud.event(f"STOPPED {self.definition['family']}:{self.definition['revision']} {self.data['stoppedReason']}")


class Tasks:
    """Part of Ecs."""

    def _init_tasks(self):
        self.tasks, self.scripted, self.tokens = {}, {}, {}
        self.oldest_first = False
        self.invisible = 0  # how many DescribeTasks do not know a new task yet

    def script(self, by_revision):
        self.scripted.update(by_revision)

    def peek(self, definition):
        """The scenario of the next task."""
        found = self.scripted.get(definition["revision"], scenarios.Fine())
        return found[0] if isinstance(found, list) else found

    def scenario(self, definition):
        found = self.scripted.get(definition["revision"], scenarios.Fine())
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        return found

    def check_network(self, definition, p):
        """What RunTask and CreateService refuse about networks."""
        network = p.get("networkConfiguration", {}).get("awsvpcConfiguration")
        if definition["networkMode"] == "awsvpc" and not network:
            raise Error("InvalidParameterException", "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        if definition["networkMode"] != "awsvpc" and network:
            raise Error("InvalidParameterException", "Network Configuration is not valid for the given networkMode of this task definition.")
        for subnet in (network or {}).get("subnets", []):
            if subnet not in self.cloud.ec2.subnets:
                raise Error("InvalidParameterException", f"The subnet ID '{subnet}' does not exist")
        for group in (network or {}).get("securityGroups", []):
            if group not in self.cloud.ec2.groups:
                raise Error("InvalidParameterException", f"The security group '{group}' does not exist")
        if p.get("launchType") == "FARGATE" and "FARGATE" not in definition["compatibilities"]:
            raise Error("InvalidParameterException", "Task definition does not support launch_type FARGATE.")
        if "launchType" in p and "capacityProviderStrategy" in p:
            raise Error("InvalidParameterException", "Specifying both a launch type and capacity provider strategy is not supported. Remove "
                        "one and try again.")

    def run_task(self, p):
        cluster = self.cluster(p)
        token = p.get("clientToken")
        if token and token in self.tokens:
            return {"tasks": [copy.deepcopy(t.data) for t in self.tokens[token]], "failures": []}
        definition = self.definition(p["taskDefinition"])
        if definition["status"] != "ACTIVE":
            raise Error("ClientException", "TaskDefinition is inactive")
        self.check_network(definition, p)
        if p.get("launchType") == "EC2" and not self.instances.get(cluster["clusterName"]):
            raise Error("InvalidParameterException", "No Container Instances were found in your cluster.")
        made = [Task(self, definition, p, p.get("group", f"family:{definition['family']}"), p.get("startedBy"))
                for _ in range(p.get("count", 1))]
        for task in made:
            task.hidden = self.invisible
        if token:
            self.tokens[token] = made
        return {"tasks": [copy.deepcopy(t.data) for t in made], "failures": []}

    def _task(self, name):
        return next((t for arn, t in self.tasks.items() if name in (arn, t.id)), None)

    def describe_tasks(self, p):
        self.cluster(p)
        found, failures = [], []
        for name in p["tasks"]:
            task = self._task(name)
            if task and getattr(task, "hidden", 0) > 0:
                task.hidden -= 1
                task = None
            if task:
                shown = copy.deepcopy(task.data)
                if "TAGS" not in p.get("include", []):
                    shown["tags"] = []
                found.append(shown)
            else:
                arn = name if name.startswith("arn:") else self.cloud.arn("ecs", f"task/{self.cluster(p)['clusterName']}/{name}")
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"tasks": found, "failures": failures}

    def list_tasks(self, p):
        cluster = self.cluster(p)
        wanted = p.get("desiredStatus", "RUNNING")
        found = [t for t in self.tasks.values() if t.data["clusterArn"] == cluster["clusterArn"] and t.data["desiredStatus"] == wanted]
        if "serviceName" in p:
            service = self.service(p["serviceName"], cluster, "ServiceNotFoundException")
            found = [t for t in found if t.data["group"] == f"service:{service['serviceName']}"]
        if "family" in p:
            found = [t for t in found if t.definition["family"] == p["family"]]
        if "startedBy" in p:
            found = [t for t in found if t.data.get("startedBy") == p["startedBy"]]
        # AWS promises no order.
        return self.page([t.data["taskArn"] for t in (found if self.oldest_first else reversed(found))], p, "taskArns")

    def stop_task(self, p):
        self.cluster(p)
        task = self._task(p["task"])
        if not task:
            raise Error("InvalidParameterException", "The referenced task was not found.")
        task.end("UserInitiated", p.get("reason", "Task stopped by user"), 143)
        return {"task": copy.deepcopy(task.data)}
