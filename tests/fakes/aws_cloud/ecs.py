"""ECS: clusters, services and their deployments, tags. Task definitions, tasks and Express have files of their own."""
import copy

from .errors import Error
from .express import Express
from .service import Service
from .task_definitions import TaskDefinitions
from .tasks import Tasks

DEPLOYMENT_KEYS = ("taskDefinition", "networkConfiguration", "platformVersion", "capacityProviderStrategy", "loadBalancers",
                   "enableExecuteCommand")


class Ecs(TaskDefinitions, Tasks, Express):
    def __init__(self, cloud):
        self.cloud, self.clusters, self.services, self.instances = cloud, {}, {}, {}
        self._init_definitions()
        self._init_tasks()
        self._init_express()

    @staticmethod
    def page(found, p, name):
        start, limit = int(p.get("nextToken", 0)), p.get("maxResults", 100)
        more = {"nextToken": str(start + limit)} if len(found) > start + limit else {}
        return {name: found[start:start + limit], **more}

    # ---- clusters ---------------------------------------------------------------

    def cluster(self, p):
        name = p.get("cluster", "default").rpartition("/")[2]
        found = self.clusters.get(name)
        if not found or found["status"] == "INACTIVE":
            raise Error("ClusterNotFoundException", "Cluster not found.")
        return found

    def create_cluster(self, p):
        name = p.get("clusterName", "default")
        if name not in self.clusters or self.clusters[name]["status"] == "INACTIVE":
            self.clusters[name] = {
                "clusterArn": self.cloud.arn("ecs", f"cluster/{name}"), "clusterName": name, "status": "ACTIVE", "statistics": [],
                "registeredContainerInstancesCount": 0, "tags": copy.deepcopy(p.get("tags", [])),
                "settings": p.get("settings", [{"name": "containerInsights", "value": "disabled"}]),
                "capacityProviders": p.get("capacityProviders", []), "defaultCapacityProviderStrategy": p.get("defaultCapacityProviderStrategy", [])}
        self.cloud.iam.service_linked("ecs.amazonaws.com")
        return {"cluster": self._show_cluster(self.clusters[name])}

    def add_instance(self, cluster):
        """A container instance, for the EC2 launch type."""
        self.instances.setdefault(cluster, []).append(self.cloud.arn("ecs", f"container-instance/{cluster}/0123456789abcdef0123456789abcdef"))

    def _show_cluster(self, cluster, include=("TAGS", "SETTINGS")):
        tasks = [t.data for t in self.tasks.values() if t.data["clusterArn"] == cluster["clusterArn"]]
        shown = {**copy.deepcopy(cluster), "activeServicesCount": len(self._services(cluster)),
                 "registeredContainerInstancesCount": len(self.instances.get(cluster["clusterName"], [])),
                 "runningTasksCount": sum(t["lastStatus"] == "RUNNING" for t in tasks),
                 "pendingTasksCount": sum(t["lastStatus"] in ("PROVISIONING", "PENDING") for t in tasks)}
        if "TAGS" not in include:
            shown["tags"] = []
        if "SETTINGS" not in include:
            shown["settings"] = []
        return shown

    def describe_clusters(self, p):
        found, failures = [], []
        for name in p.get("clusters", ["default"]):
            cluster = self.clusters.get(name.rpartition("/")[2])
            if cluster:
                found.append(self._show_cluster(cluster, p.get("include", [])))
            else:
                arn = name if name.startswith("arn:") else self.cloud.arn("ecs", f"cluster/{name}")
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"clusters": found, "failures": failures}

    def list_clusters(self, p):
        return self.page([c["clusterArn"] for c in self.clusters.values() if c["status"] == "ACTIVE"], p, "clusterArns")

    def delete_cluster(self, p):
        cluster = self.cluster(p)
        if self._services(cluster):
            raise Error("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
        if any(t.alive() for t in self.tasks.values() if t.data["clusterArn"] == cluster["clusterArn"]):
            raise Error("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        if self.instances.get(cluster["clusterName"]):
            raise Error("ClusterContainsContainerInstancesException", "The Cluster cannot be deleted while Container Instances are active or "
                        "draining.")
        cluster["status"] = "INACTIVE"
        return {"cluster": self._show_cluster(cluster)}

    def put_cluster_capacity_providers(self, p):
        cluster = self.cluster(p)
        cluster.update({k: p[k] for k in ("capacityProviders", "defaultCapacityProviderStrategy")})
        return {"cluster": self._show_cluster(cluster)}

    def update_cluster_settings(self, p):
        cluster = self.cluster(p)
        cluster["settings"] = p["settings"]
        return {"cluster": self._show_cluster(cluster)}

    def list_container_instances(self, p):
        return {"containerInstanceArns": self.instances.get(self.cluster(p)["clusterName"], [])}

    def describe_container_instances(self, p):
        return {"containerInstances": [{"containerInstanceArn": a, "status": "ACTIVE", "agentConnected": True}
                                       for a in self.instances.get(self.cluster(p)["clusterName"], []) if a in p["containerInstances"]],
                "failures": []}

    # ---- services -----------------------------------------------------------------

    def _services(self, cluster):
        return [s for s in self.services.values() if s.cluster is cluster and s.data["status"] != "INACTIVE"]

    def _find(self, name, cluster):
        return self.services.get((cluster["clusterName"], name.rpartition("/")[2]))

    def service(self, name, cluster, code="ServiceNotFoundException"):
        found = self._find(name, cluster)
        if not found:
            raise Error(code, "Service not found.")
        return found.data

    def find_service_by_resource(self, resource):
        """service/CLUSTER/NAME, as Application Auto Scaling writes it."""
        _, cluster, name = resource.split("/")
        found = self.services.get((cluster, name))
        return found if found and found.data["status"] == "ACTIVE" else None

    def create_service(self, p):
        cluster, name = self.cluster(p), p["serviceName"]
        old = self._find(name, cluster)
        if old and old.data["status"] == "ACTIVE":
            if p.get("clientToken") and old.token == p["clientToken"]:
                return {"service": old.show(True)}
            raise Error("InvalidParameterException", "Creation of service was not idempotent.")
        if old and old.data["status"] == "DRAINING":
            raise Error("InvalidParameterException", "Unable to Start a service that is still Draining.")
        definition = self.definition(p["taskDefinition"])
        self.check_network(definition, p)
        self._check_balancers(definition, p.get("loadBalancers", []))
        if p.get("launchType") == "EC2" and not self.instances.get(cluster["clusterName"]):
            raise Error("InvalidParameterException", "No Container Instances were found in your cluster.")
        made = self.services[cluster["clusterName"], name] = Service(self, cluster, p, definition)
        made.token = p.get("clientToken")
        return {"service": made.show(True)}

    def _check_balancers(self, definition, balancers):
        for balancer in balancers:
            group = self.cloud.elbv2.groups.get(balancer["targetGroupArn"])
            if not group or not group["LoadBalancerArns"]:
                raise Error("InvalidParameterException", f"The target group with targetGroupArn {balancer['targetGroupArn']} does not have an "
                            "associated load balancer.")
            if definition["networkMode"] == "awsvpc" and group["TargetType"] != "ip":
                raise Error("InvalidParameterException", f"The provided target group {balancer['targetGroupArn']} has target type instance, "
                            "which is incompatible with the awsvpc network mode specified in the task definition.")
            container = [c for c in definition["containerDefinitions"] if c["name"] == balancer["containerName"]]
            if not container or balancer["containerPort"] not in [m["containerPort"] for m in container[0]["portMappings"]]:
                raise Error("InvalidParameterException", f"The container {balancer['containerName']} did not have a container port "
                            f"{balancer['containerPort']} defined.")

    def update_service(self, p):
        cluster = self.cluster(p)
        found = self._find(p["service"], cluster)
        if not found:
            raise Error("ServiceNotFoundException", "Service not found.")
        if found.data["status"] != "ACTIVE":
            raise Error("ServiceNotActiveException", "Service was not ACTIVE.")
        definition = self.definition(p.get("taskDefinition", found.deployments[0].definition["taskDefinitionArn"]))
        self.check_network(definition, {**found.settings, **p})
        self._check_balancers(definition, p.get("loadBalancers", found.data["loadBalancers"]))
        for key in ("networkConfiguration", "deploymentConfiguration", "platformVersion", "capacityProviderStrategy", "enableExecuteCommand"):
            if key in p:
                new = {**found.settings.get(key, {}), **p[key]} if key == "deploymentConfiguration" else p[key]
                found.settings[key] = found.data[key] = copy.deepcopy(new)
        for key in ("healthCheckGracePeriodSeconds", "loadBalancers", "propagateTags", "enableECSManagedTags"):
            if key in p:
                found.data[key] = copy.deepcopy(p[key])
        if "desiredCount" in p:
            found.set_desired(p["desiredCount"])
        changed = definition["taskDefinitionArn"] != found.deployments[0].definition["taskDefinitionArn"] or \
            (p.get("networkConfiguration", found.deployments[0].settings.get("networkConfiguration")) !=
             found.deployments[0].settings.get("networkConfiguration"))
        if changed or p.get("forceNewDeployment"):
            found.deploy(definition)
        return {"service": found.show(True)}

    def delete_service(self, p):
        cluster = self.cluster(p)
        found = self._find(p["service"], cluster)
        if not found or found.data["status"] == "INACTIVE":
            raise Error("ServiceNotFoundException", "Service not found.")
        if found.desired and not p.get("force"):
            raise Error("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        found.drain()
        return {"service": found.show(True)}

    def describe_services(self, p):
        cluster, found, failures = self.cluster(p), [], []
        if len(p["services"]) > 10:
            raise Error("InvalidParameterException", "services can have at most 10 items.")
        for name in p["services"]:
            service = self._find(name, cluster)
            if service:
                found.append(service.show("TAGS" in p.get("include", [])))
            else:
                failures.append({"arn": self.cloud.arn("ecs", f"service/{cluster['clusterName']}/{name.rpartition('/')[2]}"), "reason": "MISSING"})
        return {"services": found, "failures": failures}

    def list_services(self, p):
        return self.page([s.arn for s in self._services(self.cluster(p))], p, "serviceArns")

    # ---- deployments of services ------------------------------------------------------

    def list_service_deployments(self, p):
        cluster = self.cluster(p)
        found = self._find(p["service"], cluster)
        if not found:
            raise Error("ServiceNotFoundException", "Service not found.")
        shown = []
        for d in found.records:
            r = d.record
            if r["status"] in p.get("status", [r["status"]]):
                shown.append({**{k: r[k] for k in ("serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt", "createdAt", "finishedAt",
                                                   "status", "statusReason") if k in r}, "targetServiceRevisionArn": r["targetServiceRevision"]["arn"]})
        return self.page(shown, p, "serviceDeployments")

    def _deployment(self, arn):
        return next((d for s in self.services.values() for d in s.records if d.record["serviceDeploymentArn"] == arn), None)

    def describe_service_deployments(self, p):
        found = {a: self._deployment(a) for a in p["serviceDeploymentArns"]}
        return {"serviceDeployments": [d.describe() for d in found.values() if d],
                "failures": [{"arn": a, "reason": "MISSING"} for a, d in found.items() if not d]}

    def describe_service_revisions(self, p):
        every = {d.revision_arn: d for s in self.services.values() for d in [*s.records, *s.deployments]}
        return {"serviceRevisions": [{"serviceRevisionArn": a, "serviceArn": every[a].service.arn, "clusterArn": every[a].service.cluster["clusterArn"],
                                      "taskDefinition": every[a].definition["taskDefinitionArn"]} for a in p["serviceRevisionArns"] if a in every],
                "failures": [{"arn": a, "reason": "MISSING"} for a in p["serviceRevisionArns"] if a not in every]}

    def stop_service_deployment(self, p):
        found = self._deployment(p["serviceDeploymentArn"])
        if not found:
            raise Error("ServiceDeploymentNotFoundException", "Service deployment not found.")
        if found.record["status"] not in ("PENDING", "IN_PROGRESS"):
            raise Error("ConflictException", "The service deployment is not in a state that can be stopped.")
        roll_back = p.get("stopType", "ROLLBACK") == "ROLLBACK"
        if roll_back and not any(d.completed for d in found.service.deployments):
            raise Error("ConflictException", "There is no service revision to roll back to.")
        found.record["status"] = "ROLLBACK_REQUESTED" if roll_back else "STOP_REQUESTED"
        self.cloud.clock.after(1, found.service.give_up, found, "Service deployment was stopped by the user.", roll_back)
        return {"serviceDeploymentArn": p["serviceDeploymentArn"]}

    # ---- tags ---------------------------------------------------------------------------

    def _tagged(self, arn):
        for found in self.clusters.values():
            if found["clusterArn"] == arn:
                return found["tags"]
        for found in self.services.values():
            if found.arn == arn:
                return found.data["tags"]
        if arn in self.tasks:
            return self.tasks[arn].data["tags"]
        for revisions in self.definitions.values():
            for stored, tags in revisions:
                if stored["taskDefinitionArn"] == arn:
                    return tags
        raise Error("InvalidParameterException", "The specified resource was not found.")

    def list_tags_for_resource(self, p):
        return {"tags": self._tagged(p["resourceArn"])}

    def tag_resource(self, p):
        tags = self._tagged(p["resourceArn"])
        tags[:] = [t for t in tags if t["key"] not in [n["key"] for n in p["tags"]]] + p["tags"]
