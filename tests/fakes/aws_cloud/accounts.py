"""STS."""
import datetime


class Sts:
    def __init__(self, cloud):
        self.cloud = cloud

    def _role(self, p):
        """Keys of their own for an hour."""
        key = f"ASIAROLE{len(self.cloud.keys):08d}"
        self.cloud.keys[key] = ("role-secret", "role-token//+=")
        until = self.cloud.wall_time() + datetime.timedelta(hours=1)
        return {"Credentials": {"AccessKeyId": key, "SecretAccessKey": "role-secret", "SessionToken": "role-token//+=", "Expiration": until},
                "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:session", "Arn": p["RoleArn"]}}

    def assume_role(self, p):
        return self._role(p)

    def assume_role_with_web_identity(self, p):
        return self._role(p)

    def get_caller_identity(self, _):
        return {"UserId": "AIDAEXAMPLE", "Account": self.cloud.account, "Arn": self.cloud.who}
