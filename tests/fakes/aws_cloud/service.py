"""One service: it keeps its tasks at the wanted number, replaces deployments, and rolls back."""
import copy
import uuid

from .deployments import SETTLE, STEADY, Deployment

BREAKER_OFF = {"deploymentCircuitBreaker": {"enable": False, "rollback": False}, "maximumPercent": 200, "minimumHealthyPercent": 100,
               "strategy": "ROLLING", "bakeTimeInMinutes": 0}
KEPT = ("launchType", "capacityProviderStrategy", "networkConfiguration", "enableExecuteCommand", "platformVersion")


class Service:
    def __init__(self, ecs, cluster, p, definition):
        self.ecs, self.cloud, self.cluster, self.name = ecs, ecs.cloud, cluster, p["serviceName"]
        self.arn = self.cloud.arn("ecs", f"service/{cluster['clusterName']}/{self.name}")
        self.desired = p.get("desiredCount", 1)
        self.deployments, self.records, self.events, self.not_before, self._busy = [], [], [], 0, False
        now = self.cloud.clock.now()
        self.data = {
            "serviceArn": self.arn, "serviceName": self.name, "clusterArn": cluster["clusterArn"], "status": "ACTIVE",
            "loadBalancers": p.get("loadBalancers", []), "serviceRegistries": p.get("serviceRegistries", []), "createdAt": now,
            "createdBy": self.cloud.who, "schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"},
            "placementConstraints": [], "placementStrategy": [], "propagateTags": p.get("propagateTags", "NONE"),
            "enableECSManagedTags": p.get("enableECSManagedTags", False), "enableExecuteCommand": p.get("enableExecuteCommand", False),
            "tags": copy.deepcopy(p.get("tags", [])), "availabilityZoneRebalancing": p.get("availabilityZoneRebalancing", "ENABLED"),
            "healthCheckGracePeriodSeconds": p.get("healthCheckGracePeriodSeconds", 0), "resourceManagementType": "CUSTOMER",
            "roleArn": self.cloud.arn("iam", "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", region="")}
        self.settings = {k: copy.deepcopy(p[k]) for k in KEPT if k in p}
        self.settings["deploymentConfiguration"] = {**copy.deepcopy(BREAKER_OFF), **copy.deepcopy(p.get("deploymentConfiguration", {}))}
        self.data.update(self.settings)
        if p.get("launchType") == "FARGATE":
            self.data.update(platformVersion=p.get("platformVersion", "LATEST"), platformFamily="Linux")
        self.deploy(definition)

    def breaker(self):
        found = self.settings["deploymentConfiguration"]["deploymentCircuitBreaker"]
        return found if found["enable"] else None

    def say(self, message):
        self.events.insert(0, {"id": str(uuid.uuid4()), "createdAt": self.cloud.clock.now(), "message": message})

    def register(self, task, there):
        """A task's address in the target groups."""
        for balancer in self.data["loadBalancers"]:
            targets = self.cloud.elbv2.targets[balancer["targetGroupArn"]]
            if there and task.interface["PrivateIpAddress"] not in targets:
                targets[task.interface["PrivateIpAddress"]] = "healthy"
                self.say(f"(service {self.name}) registered 1 targets in (target-group {balancer['targetGroupArn']})")
            elif not there:
                targets.pop(task.interface["PrivateIpAddress"], None)

    # ---- deployments -----------------------------------------------------------

    def deploy(self, definition, rolls_back=None):
        """A new PRIMARY deployment; the one before it becomes ACTIVE, and is stopped when it was on its way."""
        made = Deployment(self, definition, copy.deepcopy(self.settings), rolls_back)
        if self.deployments:
            before = self.deployments[0]
            before.data["status"] = "ACTIVE"
            if not before.completed and not before.given_up:
                before.given_up = True
                before.record.update(status="STOPPED", statusReason="Service deployment was replaced by a newer one.",
                                     stoppedAt=self.cloud.clock.now(), finishedAt=self.cloud.clock.now())
        self.deployments.insert(0, made)
        if not rolls_back:
            self.records.insert(0, made)
        self.data["taskDefinition"] = definition["taskDefinitionArn"]
        self.not_before = 0
        self.cloud.clock.after(1, self.reconcile)
        return made

    def give_up(self, deployment, reason, roll_back=None):
        """The circuit breaker, or StopServiceDeployment."""
        if deployment.completed or deployment.given_up or deployment is not self.deployments[0]:
            return
        deployment.given_up = True
        now = self.cloud.clock.now()
        deployment.data.update(rolloutState="FAILED", rolloutStateReason=reason, updatedAt=now)
        self.say(f"(service {self.name}) (deployment {deployment.id}) deployment failed: tasks failed to start.")
        self.cloud.event("DEPLOYMENT FAILED")
        if roll_back is None:
            roll_back = bool(self.breaker() and self.breaker()["rollback"])
        good = next((d for d in self.deployments[1:] if d.completed), None)
        if roll_back and good:
            deployment.record.update(status="ROLLBACK_IN_PROGRESS", updatedAt=now, statusReason=reason,
                                     rollback={"reason": reason, "startedAt": now, "serviceRevisionArn": good.revision_arn})
            made = self.deploy(good.definition, rolls_back=deployment)
            self.say(f"(service {self.name}) rolling back to deployment {made.id}.")
            made.data["rolloutStateReason"] = f"ECS deployment circuit breaker: rolling back to deploymentId {made.id}."
        else:
            deployment.record.update(status="ROLLBACK_FAILED" if roll_back else "STOPPED", statusReason=reason, stoppedAt=now, finishedAt=now)
            if roll_back:
                self.say(f"(service {self.name}) (deployment {deployment.id}) deployment failed: no completed deployment to roll back to.")
        self.reconcile()

    def reconcile(self):
        """Starts what is missing of the primary deployment, stops what the older ones need no more."""
        if self._busy or self.data["status"] == "INACTIVE":
            return
        self._busy = True
        try:
            self._reconcile()
        finally:
            self._busy = False

    def _reconcile(self):
        primary, older = self.deployments[0], self.deployments[1:]
        if primary.given_up or self.data["status"] == "DRAINING":
            primary.stop_all()
        elif len(primary.live()) < self.desired and self.cloud.clock.seconds >= self.not_before:
            total = sum(len(d.live()) for d in self.deployments)
            room = self.desired * self.settings["deploymentConfiguration"]["maximumPercent"] // 100 - total
            primary.start(min(self.desired - len(primary.live()), room))
        elif len(primary.live()) > self.desired:
            primary.stop_all(keep=self.desired)
        running = len(primary.running())
        for old in older:
            if old.given_up:
                old.stop_all()
            else:
                wanted = -(-self.desired * self.settings["deploymentConfiguration"]["minimumHealthyPercent"] // 100)
                old.stop_all(keep=max(0, wanted - running) if running < self.desired else 0)
        if running == self.desired and not primary.completed and not primary.given_up and not any(d.live() for d in older):
            # Not at once: a task that ends within seconds of its start has not been a success.
            if primary.settled():
                primary.complete()
            else:
                self.cloud.clock.after(SETTLE, self.reconcile)
        if primary.completed:
            self.deployments = [d for d in self.deployments if d is primary or d.live()]
        if self.data["status"] == "DRAINING" and not any(d.live() for d in self.deployments):
            self.data["status"] = "INACTIVE"

    def set_desired(self, n):
        if n != self.desired:
            self.desired = n
            self.cloud.clock.after(1, self.reconcile)
            self.cloud.clock.after(30, self._steady)

    def _steady(self):
        if self.data["status"] == "ACTIVE" and len(self.deployments[0].running()) == self.desired:
            self.say(STEADY.format(name=self.name))

    def drain(self):
        self.data["status"] = "DRAINING"
        self.desired = 0
        self.cloud.clock.after(1, self.reconcile)

    def show(self, tags=False):
        shown = copy.deepcopy(self.data)
        deployments = [d.show() for d in self.deployments]
        shown.update(desiredCount=self.desired, deployments=copy.deepcopy(deployments), events=copy.deepcopy(self.events[:100]),
                     runningCount=sum(d["runningCount"] for d in deployments), pendingCount=sum(d["pendingCount"] for d in deployments),
                     currentServiceRevisions=[{"arn": d.revision_arn, "requestedTaskCount": d.data["desiredCount"],
                                               "runningTaskCount": d.data["runningCount"], "pendingTaskCount": d.data["pendingCount"]}
                                              for d in self.deployments if d.live()])
        # Nothing is promised of when it is there: it is not in the answer of CreateService.
        if self.records and self.records[0].record["status"] != "PENDING":
            shown["currentServiceDeployment"] = self.records[0].record["serviceDeploymentArn"]
        if not tags:
            shown.pop("tags")
        if self.data["status"] == "INACTIVE":
            shown.update(deployments=[], events=[])
        return shown
