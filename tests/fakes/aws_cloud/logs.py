"""CloudWatch Logs: groups, streams, events."""
from .errors import Error

RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


class Logs:
    def __init__(self, cloud):
        self.cloud, self.groups, self.tags = cloud, {}, {}
        self.pages_between = 0  # how many empty pages come before the events of a stream

    def put(self, group, stream, lines):
        """What a task wrote; a group that is not there loses it, as the driver does."""
        if group in self.groups:
            events = self.groups[group]["streams"].setdefault(stream, [])
            for line in lines:
                now = int(self.cloud.clock.now().timestamp() * 1000)
                events.append({"timestamp": now, "ingestionTime": now + 200, "message": line})

    def _arn(self, name):
        return self.cloud.arn("logs", f"log-group:{name}")

    def _group(self, p):
        name = p.get("logGroupName") or p["logGroupIdentifier"].partition(":log-group:")[2].removesuffix(":*")
        if name not in self.groups:
            raise Error("ResourceNotFoundException", "The specified log group does not exist.")
        return self.groups[name]

    def create_log_group(self, p):
        if p["logGroupName"] in self.groups:
            raise Error("ResourceAlreadyExistsException", "The specified log group already exists")
        self.groups[p["logGroupName"]] = {"streams": {}, "retention": None, "made": self.cloud.clock.now()}
        self.tags[self._arn(p["logGroupName"])] = dict(p.get("tags", {}))

    def delete_log_group(self, p):
        self._group(p)
        del self.groups[p["logGroupName"]]
        self.tags.pop(self._arn(p["logGroupName"]))

    def put_retention_policy(self, p):
        if p["retentionInDays"] not in RETENTIONS:
            raise Error("InvalidParameterException", f"1 validation error detected: Value '{p['retentionInDays']}' at "
                        "'retentionInDays' failed to satisfy constraint")
        self._group(p)["retention"] = p["retentionInDays"]

    def describe_log_groups(self, p):
        found = []
        for name in sorted(self.groups):
            if name.startswith(p.get("logGroupNamePrefix", "")):
                group = {"logGroupName": name, "creationTime": int(self.groups[name]["made"].timestamp() * 1000),
                         "metricFilterCount": 0, "arn": self._arn(name) + ":*", "storedBytes": 0,
                         "logGroupArn": self._arn(name), "logGroupClass": "STANDARD"}
                if self.groups[name]["retention"]:
                    group["retentionInDays"] = self.groups[name]["retention"]
                found.append(group)
        start = int(p.get("nextToken", 0))
        limit = p.get("limit", 50)
        more = {"nextToken": str(start + limit)} if len(found) > start + limit else {}
        return {"logGroups": found[start:start + limit], **more}

    def _tagged(self, arn):
        arn = arn.removesuffix(":*")
        if arn not in self.tags:
            raise Error("ResourceNotFoundException", "The specified resource does not exist.")
        return self.tags[arn]

    def tag_resource(self, p):
        self._tagged(p["resourceArn"]).update(p["tags"])

    def list_tags_for_resource(self, p):
        return {"tags": self._tagged(p["resourceArn"])}

    def list_tags_log_group(self, p):
        return {"tags": self._tagged(self._arn(p["logGroupName"]))}

    def tag_log_group(self, p):
        self._tagged(self._arn(p["logGroupName"])).update(p["tags"])

    def describe_log_streams(self, p):
        streams = self._group(p)["streams"]
        return {"logStreams": [{"logStreamName": n, "firstEventTimestamp": streams[n][0]["timestamp"],
                                "lastEventTimestamp": streams[n][-1]["timestamp"]} for n in sorted(streams)
                               if streams[n] and n.startswith(p.get("logStreamNamePrefix", ""))]}

    def get_log_events(self, p):
        """Forward and backward pages; the end of both directions is the same token once more."""
        group = self._group(p)
        if p["logStreamName"] not in group["streams"]:
            raise Error("ResourceNotFoundException", "The specified log stream does not exist.")
        events = [e for e in group["streams"][p["logStreamName"]]
                  if p.get("startTime", 0) <= e["timestamp"] < p.get("endTime", 1 << 62)]
        limit, token = p.get("limit", 10000), p.get("nextToken")
        if token is None:
            first = 0 if p.get("startFromHead") else max(0, len(events) - limit)
        elif token.startswith("f/"):
            first = int(token[2:])
        else:
            first = max(0, int(token[2:]) - limit)
            limit = int(token[2:]) - first
        last = min(len(events), first + limit)
        return {"events": events[first:last], "nextForwardToken": f"f/{last}", "nextBackwardToken": f"b/{first}"}

    def filter_log_events(self, p):
        streams, found = self._group(p)["streams"], []
        for name in sorted(streams):
            if name.startswith(p.get("logStreamNamePrefix", "")) and name in p.get("logStreamNames", [name]):
                for i, event in enumerate(streams[name]):
                    if p.get("startTime", 0) <= event["timestamp"] < p.get("endTime", 1 << 62):
                        found.append({"logStreamName": name, "eventId": f"{name}#{i}", **event})
        found.sort(key=lambda e: e["timestamp"])
        start = int(p.get("nextToken", 0))
        limit = p.get("limit", 10000)
        more = {"nextToken": str(start + limit)} if len(found) > start + limit else {}
        return {"events": found[start:start + limit], "searchedLogStreams": [], **more}
