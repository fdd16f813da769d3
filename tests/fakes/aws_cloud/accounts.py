"""STS."""


class Sts:
    def __init__(self, cloud):
        self.cloud = cloud

    def get_caller_identity(self, _):
        return {"UserId": "AIDAEXAMPLE", "Account": self.cloud.account, "Arn": self.cloud.who}
