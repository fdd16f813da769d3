"""The services of a cloud, by their names in models.SERVICES."""
from . import accounts, autoscaling, ec2, ecr, ecs, elbv2, iam, logs, secrets


def make(cloud):
    return {
        "sts": accounts.Sts(cloud), "ecr": ecr.Ecr(cloud), "ecs": ecs.Ecs(cloud), "iam": iam.Iam(cloud), "ec2": ec2.Ec2(cloud),
        "logs": logs.Logs(cloud), "elbv2": elbv2.Elbv2(cloud), "application-autoscaling": autoscaling.Autoscaling(cloud),
        "ssm": secrets.Ssm(cloud), "secretsmanager": secrets.SecretsManager(cloud),
    }
