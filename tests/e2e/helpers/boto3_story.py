"""Run by an interpreter that has boto3: boto3_story.py ENDPOINT IMAGE < {"AWS_..": ..}. From a cluster to a task's logs and a
service's tasks as a program of somebody's would do it; prints what it saw as one JSON document."""
import json
import os
import sys

QUICK = {"Delay": 1, "MaxAttempts": 60}


def clients(url):
    import boto3  # pylint: disable=import-outside-toplevel,import-error
    os.environ.update(json.load(sys.stdin))
    session = boto3.session.Session()
    return {name: session.client(name, endpoint_url=url) for name in ("sts", "ecr", "ecs", "logs", "iam", "ec2")}


def prepare(c, image):
    """The cluster with all that a task needs; what run_task() and create_service() are given."""
    role = c["iam"].create_role(RoleName="execution", AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                                               "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    c["logs"].create_log_group(logGroupName="/story")
    c["ecs"].create_cluster(clusterName="story")
    definition = c["ecs"].register_task_definition(
        family="story", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512", executionRoleArn=role,
        containerDefinitions=[{
            "name": "app", "image": image, "essential": True, "environment": [{"name": "VERSION", "value": "boto3"}],
            "portMappings": [{"containerPort": 3000}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/story", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}}])["taskDefinition"]
    subnets = [s["SubnetId"] for s in c["ec2"].describe_subnets()["Subnets"]]
    return definition["taskDefinitionArn"], {"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}}


def address_of(c, task):
    [interface] = [d["value"] for a in task["attachments"] for d in a["details"] if d["name"] == "networkInterfaceId"]
    [found] = c["ec2"].describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"]
    return found["Association"]["PublicIp"]


def run_one(c, definition, network):
    ecs = c["ecs"]
    [task] = ecs.run_task(cluster="story", taskDefinition=definition, launchType="FARGATE", networkConfiguration=network)["tasks"]
    arn = task["taskArn"]
    ecs.get_waiter("tasks_running").wait(cluster="story", tasks=[arn], WaiterConfig=QUICK)
    [running] = ecs.describe_tasks(cluster="story", tasks=[arn])["tasks"]
    seen = {"first": task["lastStatus"], "running": running["lastStatus"], "address": address_of(c, running)}
    ecs.stop_task(cluster="story", task=arn, reason="seen")
    ecs.get_waiter("tasks_stopped").wait(cluster="story", tasks=[arn], WaiterConfig=QUICK)
    [ended] = ecs.describe_tasks(cluster="story", tasks=[arn])["tasks"]
    events = c["logs"].get_log_events(logGroupName="/story", logStreamName=f"ecs/app/{arn.split('/')[-1]}", startFromHead=True)["events"]
    return {**seen, "stopCode": ended["stopCode"], "stoppedReason": ended["stoppedReason"], "exitCode": ended["containers"][0].get("exitCode"),
            "log": [e["message"] for e in events], "times": [ended[k].timestamp() for k in ("createdAt", "startedAt", "stoppedAt")]}


def serve(c, definition, network):
    ecs = c["ecs"]
    ecs.create_service(cluster="story", serviceName="web", taskDefinition=definition, desiredCount=2, launchType="FARGATE",
                       networkConfiguration=network)
    ecs.get_waiter("services_stable").wait(cluster="story", services=["web"], WaiterConfig=QUICK)
    before = ecs.list_tasks(cluster="story", serviceName="web")["taskArns"]
    ecs.update_service(cluster="story", service="web", forceNewDeployment=True)
    ecs.get_waiter("services_stable").wait(cluster="story", services=["web"], WaiterConfig=QUICK)
    after = ecs.list_tasks(cluster="story", serviceName="web")["taskArns"]
    [service] = ecs.describe_services(cluster="story", services=["web"])["services"]
    ecs.delete_service(cluster="story", service="web", force=True)
    ecs.get_waiter("services_inactive").wait(cluster="story", services=["web"], WaiterConfig=QUICK)
    return {"before": len(before), "after": len(after), "kept": len(set(before) & set(after)), "running": service["runningCount"],
            "deployments": len(service["deployments"]), "events": [e["message"] for e in service["events"]]}


def main():
    url, image = sys.argv[1:]
    c = clients(url)
    seen = {"account": c["sts"].get_caller_identity()["Account"]}
    repository = image.partition("/")[2].rpartition(":")[0]
    [pushed] = c["ecr"].describe_images(repositoryName=repository)["imageDetails"]
    seen["digest"] = pushed["imageDigest"]
    definition, network = prepare(c, image)
    seen["task"] = run_one(c, definition, network)
    seen["service"] = serve(c, definition, network)
    pages = c["ecs"].get_paginator("list_tasks").paginate(cluster="story", desiredStatus="STOPPED")
    seen["stopped"] = sum(len(p["taskArns"]) for p in pages)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
