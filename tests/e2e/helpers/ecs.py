"""Things that run in the fake AWS, made behind slipway's back: for tests of the commands that look at them."""
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret/with+odd=characters", "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true", "SLIPWAY_TEST_POLL_MS": "2", "SLIPWAY_TEST_RETRY_MS": "2"}


class Running:
    """A cluster "default" with its role, log group and network; run() and service() start what the image would."""

    def __init__(self, cloud, group="/ecs/web"):
        self.cloud, self.ecs, self.group = cloud, cloud.ecs, group
        self.cloud.ecs.create_cluster({"clusterName": "default"})
        self.cloud.logs.create_log_group({"logGroupName": group})
        self.role = cloud.iam.add_role("ecsTaskExecutionRole")
        self.role = cloud.iam.roles["ecsTaskExecutionRole"]["Arn"]
        vpc = next(iter(cloud.ec2.subnets.values()))["VpcId"]
        subnets = [s for s, data in cloud.ec2.subnets.items() if data["VpcId"] == vpc]
        self.network = {"awsvpcConfiguration": {"subnets": subnets[:2], "assignPublicIp": "ENABLED"}}

    def container(self, name="web", **more):
        return {"name": name, "image": "public.ecr.aws/docker/library/nginx:1", "essential": True,
                "portMappings": [{"containerPort": 3000}] if name == "web" else [],
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": self.group, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "run"}}, **more}

    def define(self, family="web", *containers, **more):
        made = self.ecs.register_task_definition({
            "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "executionRoleArn": self.role, "containerDefinitions": list(containers) or [self.container()], **more})
        return made["taskDefinition"]["taskDefinitionArn"]

    def run(self, family="web", seconds=30, **more):
        """A task of the family's newest revision, as it is after that time; its id."""
        task = self.ecs.run_task({"cluster": "default", "taskDefinition": family, "launchType": "FARGATE",
                                  "networkConfiguration": self.network, **more})["tasks"][0]
        self.cloud.clock.advance(seconds)
        return task["taskArn"].rpartition("/")[2]

    def service(self, name="web", family="web", count=1, seconds=60, **more):
        self.ecs.create_service({"cluster": "default", "serviceName": name, "taskDefinition": family, "desiredCount": count,
                                 "launchType": "FARGATE", "networkConfiguration": self.network, **more})
        self.cloud.clock.advance(seconds)
        return [t for t in self.tasks() if self.ecs.tasks[t].data["group"] == f"service:{name}"]

    def tasks(self):
        """ARNs of all that are there."""
        return list(self.ecs.tasks)

    def write(self, task, *lines, container="web", group=None):
        self.cloud.logs.put(group or self.group, f"run/{container}/{task.rpartition('/')[2]}", lines)
