"""Express mode: a service with its load balancer, address and scaling from one call."""
import copy

from .errors import Error


class Express:
    """Part of Ecs."""

    def _init_express(self):
        self.express = {}  # service ARN: what DescribeExpressGatewayService shows

    def create_express_gateway_service(self, p):
        cluster = self.cluster(p)
        for key, service in (("infrastructureRoleArn", "ecs.amazonaws.com"), ("executionRoleArn", "ecs-tasks.amazonaws.com")):
            if key in p and not self.cloud.iam.assumable(p[key], service):
                raise Error("InvalidParameterException", f"ECS was unable to assume the role '{p[key]}' that was provided.")
        if "primaryContainer" not in p and "taskDefinitionArn" not in p:
            raise Error("InvalidParameterException", "Either primaryContainer or taskDefinitionArn must be specified.")
        name = p.get("serviceName", "express-1")
        arn = self.cloud.arn("ecs", f"service/{cluster['clusterName']}/{name}")
        if arn in self.express and self.express[arn]["status"]["statusCode"] == "ACTIVE":
            raise Error("InvalidParameterException", "Creation of service was not idempotent.")
        now = self.cloud.clock.now()
        self.express[arn] = {"cluster": cluster["clusterName"], "serviceName": name, "serviceArn": arn, "status": {"statusCode": "ACTIVE"},
                             "infrastructureRoleArn": p["infrastructureRoleArn"], "createdAt": now, "updatedAt": now,
                             "tags": p.get("tags", []), "activeConfigurations": []}
        self._configure(arn, p)
        return {"service": copy.deepcopy(self.express[arn])}

    def _configure(self, arn, p):
        shown = self.express[arn]
        host = f"{shown['serviceName']}-0123456789abcdef.ecs.{self.cloud.region}.on.aws"
        kept = ("executionRoleArn", "taskRoleArn", "taskDefinitionArn", "networkConfiguration", "scalingTarget", "primaryContainer")
        before = shown["activeConfigurations"][0] if shown["activeConfigurations"] else {}
        shown["activeConfigurations"] = [{
            **before, **{k: p[k] for k in kept if k in p}, "cpu": p.get("cpu", before.get("cpu", "256")),
            "memory": p.get("memory", before.get("memory", "512")), "createdAt": self.cloud.clock.now(),
            "healthCheckPath": p.get("healthCheckPath", before.get("healthCheckPath", "/ping")),
            "serviceRevisionArn": self.cloud.arn("ecs", f"service-revision/{shown['cluster']}/{shown['serviceName']}/4980306466373577095"),
            "ingressPaths": [{"accessType": "PUBLIC", "endpoint": host}]}]

    def _express(self, p):
        if p["serviceArn"] not in self.express:
            raise Error("ResourceNotFoundException", "The specified resource was not found.")
        return self.express[p["serviceArn"]]

    def describe_express_gateway_service(self, p):
        return {"service": copy.deepcopy(self._express(p))}

    def update_express_gateway_service(self, p):
        found = self._express(p)
        self._configure(p["serviceArn"], p)
        shown = {k: found[k] for k in ("serviceArn", "cluster", "serviceName", "status", "createdAt", "updatedAt")}
        return {"service": {**shown, "targetConfiguration": found["activeConfigurations"][0]}}

    def delete_express_gateway_service(self, p):
        found = self._express(p)
        found["status"] = {"statusCode": "DRAINING"}
        self.cloud.clock.after(20, found.update, {"status": {"statusCode": "INACTIVE"}})
        return {"service": copy.deepcopy(found)}
