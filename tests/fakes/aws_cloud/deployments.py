"""One deployment of a service: its tasks, the circuit breaker, and the service deployment that the newer operations show."""
import random

from .scenarios import Unplaceable
from .tasks import Task

STEADY = "(service {name}) has reached a steady state."

SETTLE = 15  # seconds that the tasks of a deployment must have run before it counts as completed


def number():
    return str(random.Random(random.random()).randrange(10**18, 10**19 - 1))


class Deployment:
    """deployments[] of a service holds data; record is its service deployment."""

    def __init__(self, service, definition, settings, rolls_back=None):
        self.service, self.ecs, self.cloud, self.clock = service, service.ecs, service.ecs.cloud, service.ecs.cloud.clock
        self.definition, self.settings, self.tasks = definition, settings, []
        self.failures, self.given_up, self.completed = 0, False, False
        self.rolls_back = rolls_back  # the deployment that failed, whose place this one takes
        now, name = self.clock.now(), f"{service.cluster['clusterName']}/{service.name}"
        self.id = f"ecs-svc/{number()}"
        self.data = {"id": self.id, "status": "PRIMARY", "taskDefinition": definition["taskDefinitionArn"], "createdAt": now,
                     "updatedAt": now, "desiredCount": service.desired, "pendingCount": 0, "runningCount": 0, "failedTasks": 0,
                     "rolloutState": "IN_PROGRESS", "rolloutStateReason": f"ECS deployment {self.id} in progress.",
                     **{k: settings[k] for k in ("launchType", "capacityProviderStrategy", "networkConfiguration") if k in settings}}
        if settings.get("launchType") == "FARGATE":
            self.data.update(platformVersion="1.4.0", platformFamily="Linux")
        self.revision_arn = self.cloud.arn("ecs", f"service-revision/{name}/{number()}")
        if rolls_back:
            self.record = rolls_back.record
        else:
            self.record = {"serviceDeploymentArn": self.cloud.arn("ecs", f"service-deployment/{name}/{number()[:10]}"),
                           "serviceArn": service.arn, "clusterArn": service.cluster["clusterArn"], "createdAt": now, "updatedAt": now,
                           "status": "PENDING", "deploymentConfiguration": settings["deploymentConfiguration"],
                           "targetServiceRevision": {"arn": self.revision_arn}, "sourceServiceRevisions": [
                               {"arn": d.revision_arn, "requestedTaskCount": 0, "runningTaskCount": len(d.running()), "pendingTaskCount": 0}
                               for d in service.deployments if d.completed]}
            if service.breaker():
                self.record["deploymentCircuitBreaker"] = {"status": "MONITORING", "failureCount": 0, "threshold": self.threshold()}
            self.clock.after(1, self._begin)

    def _begin(self):
        if self.record["status"] == "PENDING":
            self.record.update(status="IN_PROGRESS", startedAt=self.clock.now())

    def threshold(self):
        """AWS: half of the wanted tasks, at least 3, at most 200, unless the service says."""
        own = (self.service.breaker() or {}).get("thresholdConfiguration")
        if own:
            return own["value"] if own["type"] == "COUNT" else max(1, self.service.desired * own["value"] // 100)
        return max(3, min(200, (self.service.desired + 1) // 2))

    def live(self):
        return [t for t in self.tasks if t.alive()]

    def running(self):
        return [t for t in self.live() if t.data["lastStatus"] == "RUNNING" and t.data["healthStatus"] != "UNHEALTHY"]

    def settled(self):
        return all((self.clock.now() - t.data["startedAt"]).total_seconds() >= SETTLE - 1 for t in self.running())

    def start(self, n):
        if n <= 0:
            return
        scenario = self.ecs.peek(self.definition)
        if isinstance(scenario, Unplaceable):
            self.service.say(f"(service {self.service.name}) was unable to place a task. Reason: {scenario.reason}.")
            self.service.not_before = self.clock.seconds + 20
            self.clock.after(20, self.service.reconcile)
            return
        p = {"cluster": self.service.cluster["clusterName"], **self.settings}
        if self.service.data.get("propagateTags") == "SERVICE":
            p["tags"] = self.service.data.get("tags", [])
        else:
            p.pop("tags", None)
        made = [Task(self.ecs, self.definition, p, f"service:{self.service.name}", self.id) for _ in range(n)]
        for task in made:
            task.on_change = self.changed
            self.tasks.append(task)
        names = " ".join(f"(task {t.id})" for t in made)
        self.service.say(f"(service {self.service.name}) has started {n} tasks: {names}.")

    def changed(self, task):
        data = task.data
        if data["lastStatus"] == "RUNNING" and data["healthStatus"] != "UNHEALTHY":
            self.service.register(task, True)
        if data["lastStatus"] == "DEPROVISIONING":
            self.service.register(task, False)
            if data["stopCode"] not in ("UserInitiated",) and not getattr(task, "unwanted", False):
                self._failed(task)
        self.service.reconcile()

    def _failed(self, task):
        self.failures += 1
        self.data["failedTasks"] = self.failures
        self.data["updatedAt"] = self.clock.now()
        breaker = self.record.get("deploymentCircuitBreaker")
        if breaker and not self.rolls_back and not self.completed:
            breaker["failureCount"] = self.failures
            if self.failures >= breaker["threshold"] and not self.given_up:
                breaker["status"] = "TRIGGERED"
                self.clock.after(1, self.service.give_up, self, "ECS deployment circuit breaker: tasks failed to start.")
        if not self.given_up:
            self.service.not_before = self.clock.seconds + min(60, 5 * self.failures)
            self.clock.after(min(60, 5 * self.failures), self.service.reconcile)

    def stop_all(self, keep=0):
        for task in self.live()[:max(0, len(self.live()) - keep)]:
            task.unwanted = True
            task.end("ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {self.service.deployments[0].id})", 143)
            self.service.say(f"(service {self.service.name}) has stopped 1 running tasks: (task {task.id}).")

    def complete(self):
        self.completed = True
        self.data.update(rolloutState="COMPLETED", rolloutStateReason=f"ECS deployment {self.id} completed.", updatedAt=self.clock.now())
        now = self.clock.now()
        if self.rolls_back:
            self.record.update(status="ROLLBACK_SUCCESSFUL", finishedAt=now, updatedAt=now)
            self.cloud.event("ROLLED BACK")
        else:
            self.record.update(status="SUCCESSFUL", finishedAt=now, updatedAt=now)
            breaker = self.record.get("deploymentCircuitBreaker")
            if breaker:
                breaker["status"] = "MONITORING_COMPLETE"
            self.cloud.event("COMPLETED")
        self.service.say(f"(service {self.service.name}) (deployment {self.id}) deployment completed.")
        self.service.say(STEADY.format(name=self.service.name))

    def show(self):
        live, running = self.live(), self.running()
        self.data.update(runningCount=len(running), pendingCount=len(live) - len(running),
                         desiredCount=0 if self.given_up or self is not self.service.deployments[0] else self.service.desired)
        return dict(self.data)

    def describe(self):
        record = dict(self.record)
        record["targetServiceRevision"] = {**record["targetServiceRevision"], "requestedTaskCount": self.service.desired,
                                           "runningTaskCount": len(self.running()),
                                           "pendingTaskCount": len(self.live()) - len(self.running())}
        return record
