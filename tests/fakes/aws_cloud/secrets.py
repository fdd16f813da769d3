"""SSM parameters and Secrets Manager, as far as a task's secrets need them. The values are never handed to a client that
only asks whether they are there."""
from .errors import Error


class SecretsManager:
    def __init__(self, cloud):
        self.cloud, self.secrets = cloud, {}

    def add(self, name, value="hunter2"):
        """The ARN of a new secret."""
        arn = self.cloud.arn("secretsmanager", f"secret:{name}-AbCdEf")
        self.secrets[arn] = (name, value, self.cloud.clock.now())
        return arn

    def find(self, name):
        for arn, (own, _, _) in self.secrets.items():
            # Full ARN, ARN without the six characters, or name; ECS adds :key:stage:version.
            if name in (arn, arn[:-7], own) or name.startswith(arn + ":"):
                return arn
        return None

    def _get(self, name):
        found = self.find(name)
        if not found:
            raise Error("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return found, *self.secrets[found]

    def describe_secret(self, p):
        arn, name, _, made = self._get(p["SecretId"])
        return {"ARN": arn, "Name": name, "CreatedDate": made}

    def get_secret_value(self, p):
        arn, name, value, made = self._get(p["SecretId"])
        return {"ARN": arn, "Name": name, "SecretString": value, "CreatedDate": made}


class Ssm:
    def __init__(self, cloud):
        self.cloud, self.parameters = cloud, {}

    def add(self, name, value="hunter2"):
        self.parameters[name] = value
        return self.arn(name)

    def arn(self, name):
        return self.cloud.arn("ssm", "parameter/" + name.lstrip("/"))

    def find(self, name):
        return next((own for own in self.parameters if name in (own, self.arn(own))), None)

    def _describe(self, name):
        return {"Name": name, "Type": "SecureString", "Value": self.parameters[name], "Version": 1, "ARN": self.arn(name)}

    def get_parameters(self, p):
        found = {name: self.find(name) for name in p["Names"]}
        return {"Parameters": [self._describe(own) for own in found.values() if own],
                "InvalidParameters": [name for name, own in found.items() if not own]}

    def get_parameter(self, p):
        own = self.find(p["Name"])
        if not own:
            raise Error("ParameterNotFound", "")
        return {"Parameter": self._describe(own)}

    def describe_parameters(self, p):
        wanted = [v for f in p.get("ParameterFilters", []) if f["Key"] == "Name" for v in f["Values"]]
        return {"Parameters": [{"Name": n, "Type": "SecureString", "Version": 1} for n in self.parameters if not wanted or n in wanted]}
