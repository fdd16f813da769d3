"""What becomes of a task: cloud.script({2: Crash(1, ["no module named app"])}) says it of the tasks of revision 2.

A scenario's play(task) is called when the task is placed, and lets things happen by task.clock. Every task goes through the
facts first: its role, its way to the network, its secrets, image and log group must be there, whatever the scenario."""
import re

START = 6  # seconds from RunTask to RUNNING


class Fine:
    """Runs until somebody stops it."""

    def __init__(self, start=START, logs=("listening on port 3000",)):
        self.start, self.logs = start, logs

    def play(self, task):
        task.clock.after(2, task.pull)
        task.clock.after(self.start, self.running, task)

    def running(self, task):
        if task.alive() and task.run():
            task.write(self.logs)
            self.then(task)

    def then(self, task):
        pass


class SlowButFine(Fine):
    """As long as an image of some gigabytes takes."""

    def __init__(self, start=240):
        super().__init__(start)


class Crash(Fine):
    """The essential container ends."""

    def __init__(self, code=1, logs=("Traceback (most recent call last):", "ImportError: no name 'url_quote'"), after=2, reason=None,
                 start=START):
        super().__init__(start, logs)
        self.code, self.after, self.reason = code, after, reason

    def then(self, task):
        task.clock.after(self.after, task.end, "EssentialContainerExited", "Essential container in task exited", self.code, self.reason)


class Done(Crash):
    """A job that ends well."""

    def __init__(self, logs=("migrated 3 tables",), after=2):
        super().__init__(0, logs, after)


class Oom(Crash):
    def __init__(self, logs=("loading the model",)):
        super().__init__(137, logs, reason="OutOfMemoryError: Container killed due to memory usage")

    def then(self, task):
        task.clock.after(self.after, task.end, "EssentialContainerExited",
                         "OutOfMemoryError: Container killed due to memory usage", self.code, self.reason)


class NeverStarts(Fine):
    """Stopped before anything ran: no container has an exit code."""

    def __init__(self, reason, container_reason=None):
        super().__init__()
        self.reason, self.container_reason = reason, container_reason

    def play(self, task):
        task.clock.after(3, task.end, "TaskFailedToStart", self.reason, None, self.container_reason)


class CannotPull(NeverStarts):
    def __init__(self, why="{image}: not found"):
        super().__init__("")
        self.why = why

    def play(self, task):
        image = task.definition["containerDefinitions"][0]["image"]
        self.reason = self.container_reason = (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
            f"{image}: " + self.why.format(image=image))
        super().play(task)


class NoRoute(NeverStarts):
    def __init__(self):
        super().__init__("ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from "
                         "Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network "
                         "configuration. operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, "
                         "https response error StatusCode: 0, dial tcp 52.94.177.114:443: i/o timeout")


class MissingSecret(NeverStarts):
    def __init__(self, arn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"):
        super().__init__("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
                         "unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret "
                         f"{arn} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.")


class SecretDenied(NeverStarts):
    def __init__(self, arn, role):
        super().__init__("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
                         f"unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {arn} "
                         f"from secrets manager: AccessDeniedException: User: {role} is not authorized to perform: "
                         "secretsmanager:GetSecretValue")


class NoLogGroup(NeverStarts):
    def __init__(self, group="/ecs/app"):
        super().__init__("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
                         f"create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. ({group}) "
                         ": exit status 1")


class RoleNotAssumable(NeverStarts):
    def __init__(self, arn):
        super().__init__(f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role being "
                         "passed has the proper trust relationship and permissions and that your IAM user has permissions to "
                         "pass this role.")


class Unplaceable(Fine):
    """Of a service: no task is ever started; its events say why."""

    def __init__(self, reason="You've reached the limit on the number of vCPUs you can run concurrently"):
        super().__init__()
        self.reason = reason


class NotExecutable(NeverStarts):
    def __init__(self, program="/app/start"):
        super().__init__("CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to "
                         "create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "
                         f'"{program}": executable file not found in $PATH: unknown')


class NoCapacity(NeverStarts):
    def __init__(self):
        super().__init__("Capacity is unavailable at this time. Please try again later or in a different availability zone")


class WrongArchitecture(Crash):
    def __init__(self):
        super().__init__(255, ["exec /usr/bin/app: exec format error"], after=1)


class FailingHealthCheck(Fine):
    """Runs, is found unhealthy, and is replaced by the service's scheduler."""

    def __init__(self, after=10, reason="Task failed container health checks"):
        super().__init__()
        self.after, self.reason = after, reason

    def then(self, task):
        if re.search("ELB", self.reason):
            task.clock.after(self.after, task.end, "ServiceSchedulerInitiated", self.reason, 143, None)
        else:
            task.clock.after(self.after, self.unhealthy, task)

    def unhealthy(self, task):
        if task.alive():
            task.unhealthy()
            task.clock.after(2, task.end, "ServiceSchedulerInitiated", self.reason, 143, None)


class SpotInterruption(Fine):
    def then(self, task):
        task.clock.after(4, task.end, "SpotInterruption", "Your Spot Task was interrupted.", 143, None)


def missing_facts(cloud, task):
    """The scenario that the facts of the account force on a task, or None."""
    definition, role = task.definition, task.definition.get("executionRoleArn")
    for arn in (role, definition.get("taskRoleArn")):
        if arn and not cloud.iam.assumable(arn):
            return RoleNotAssumable(arn)
    if task.fargate and not task.reaches_internet():
        return NoRoute()
    for container in definition["containerDefinitions"]:
        for secret in container.get("secrets", []):
            wrong = _secret(cloud, secret["valueFrom"], role)
            if wrong:
                return wrong
        wrong = _image(cloud, container["image"], role)
        if wrong:
            return wrong
        log = container.get("logConfiguration", {})
        group = log.get("options", {}).get("awslogs-group")
        if log.get("logDriver") == "awslogs" and group not in cloud.logs.groups:
            return NoLogGroup(group)
    return None


def _secret(cloud, name, role):
    found = cloud.secretsmanager.find(name)
    if ":secretsmanager:" in name:
        if not found:
            return MissingSecret(name)
        return None if role and cloud.iam.allows(role, "secretsmanager:GetSecretValue", found) else SecretDenied(name, role)
    own = cloud.ssm.find(name)
    if not own:
        return NeverStarts("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
                           f"unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: {name}")
    if not role or not cloud.iam.allows(role, "ssm:GetParameters", cloud.ssm.arn(own)):
        return NeverStarts("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
                           "unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: "
                           f"User: {role} is not authorized to perform: ssm:GetParameters on resource: {cloud.ssm.arn(own)}")
    return None


def _image(cloud, image, role):
    host, _, rest = image.partition("/")
    if host != cloud.ecr.host:
        return None
    # Without an execution role it is the instance that pulls, with a role of its own.
    if role and not cloud.iam.allows(role, "ecr:GetAuthorizationToken"):
        return NeverStarts("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
                           "unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: "
                           f"User: {role} is not authorized to perform: ecr:GetAuthorizationToken on resource: *")
    repository, _, reference = rest.partition("@") if "@" in rest else rest.partition(":")
    repository = repository.partition(":")[0]
    if repository not in cloud.ecr.repositories:
        return CannotPull("pull access denied, repository does not exist or may require authorization")
    if cloud.ecr.has(repository, reference or "latest") is False:
        return CannotPull()
    return None
