#include "deploy/hints.h"

#include <string.h>

#include "base/alloc.h"

/* The first row whose words all stand in the reason answers; more particular rows come first. */
static const struct {
	const char *words[3]; /* in any case */
	const char *hint;
} by_reason[] = {
	{{"CannotPull", "no space left"},
	 "The image does not fit: give the task more --ephemeral-storage."},
	{{"CannotPull", "descriptor matching platform"},
	 "The image is for another architecture than the task's runtimePlatform: build with --platform "
	 "linux/amd64 or linux/arm64, or change the task's cpuArchitecture."},
	{{"CannotPull", "toomanyrequests"},
	 "The registry limits pulls: use a copy in ECR (slipway copy), or public.ecr.aws/docker/library."},
	{{"CannotPull", "i/o timeout"},
	 "The task has no way to the registry: a public address (--assign-public-ip enabled) in a subnet "
	 "with an internet gateway, a NAT gateway, or VPC endpoints for ecr.api, ecr.dkr, s3 and logs."},
	{{"CannotPull", "timeout"},
	 "The task has no way to the registry: a public address (--assign-public-ip enabled) in a subnet "
	 "with an internet gateway, a NAT gateway, or VPC endpoints for ecr.api, ecr.dkr, s3 and logs."},
	{{"CannotPull", "not authorized"},
	 "The execution role may not pull from that repository: its policy needs "
	 "AmazonECSTaskExecutionRolePolicy, and another account's repository has to allow this one."},
	{{"CannotPull", "403 Forbidden"},
	 "The execution role may not pull from that repository: its policy needs "
	 "AmazonECSTaskExecutionRolePolicy, and another account's repository has to allow this one."},
	{{"CannotPull", "denied"},
	 "The execution role may not pull from that repository: its policy needs "
	 "AmazonECSTaskExecutionRolePolicy, and another account's repository has to allow this one."},
	{{"CannotPull", "not found"},
	 "That tag or digest is not in that repository and region: 'slipway tags REPOSITORY' lists what is."},
	{{"CannotPull", "manifest unknown"},
	 "That tag or digest is not in that repository and region: 'slipway tags REPOSITORY' lists what is."},
	{{"CannotPull", "does not exist"},
	 "That repository, tag or digest does not exist in that region: 'slipway repo list' shows what does."},
	{{"log group does not exist"},
	 "The log group is missing: slipway makes it unless --log-group names another; "
	 "awslogs-create-group needs logs:CreateLogGroup on the execution role."},
	{{"CreateLogGroup"},
	 "The execution role may not make log groups: make it before (slipway does), or allow "
	 "logs:CreateLogGroup."},
	{{"failed to validate logger args"},
	 "The log driver could not start: check the log group, its region and the execution role's logs:* "
	 "permissions."},
	{{"ResourceInitializationError", "ecr:GetAuthorizationToken"},
	 "The execution role may not log in at ECR: attach AmazonECSTaskExecutionRolePolicy to it."},
	{{"ResourceInitializationError", "secret", "AccessDenied"},
	 "The execution role may not read the secret: allow secretsmanager:GetSecretValue or "
	 "ssm:GetParameters on it, and kms:Decrypt on a key of your own."},
	{{"ResourceInitializationError", "secret", "not authorized"},
	 "The execution role may not read the secret: allow secretsmanager:GetSecretValue or "
	 "ssm:GetParameters on it, and kms:Decrypt on a key of your own."},
	{{"ResourceInitializationError", "ResourceNotFoundException"},
	 "The secret does not exist in this region: check its ARN and that it has a current value."},
	{{"ResourceInitializationError", "invalid ssm parameters"},
	 "The SSM parameter does not exist in this region: check its name."},
	{{"ResourceInitializationError", "unable to pull secrets or registry auth"},
	 "The task has no way to ECR or to its secrets: a public address (--assign-public-ip enabled), a NAT "
	 "gateway, or VPC endpoints for ecr.api, ecr.dkr, s3, logs and secretsmanager or ssm."},
	{{"ResourceInitializationError", "logs"},
	 "The log driver could not start: check the log group, the execution role's permissions and the way to "
	 "CloudWatch Logs."},
	{{"exec format error"},
	 "The image is for another architecture than the task's runtimePlatform: build with --platform "
	 "linux/amd64 or linux/arm64, or change the task's cpuArchitecture."},
	{{"executable file not found"},
	 "The command is not in the image: check ENTRYPOINT and CMD, and PATH for the user of the image."},
	{{"no such file or directory"},
	 "The command, its interpreter or its library is not in the image: check ENTRYPOINT, CMD and the "
	 "line \"#!\" of a script (and its line ends)."},
	{{"permission denied"},
	 "The command may not be executed by the image's user: chmod +x it."},
	{{"OutOfMemory"},
	 "The container used more memory than it has: raise --memory, or find what grows."},
	{{"failed ELB health checks"},
	 "The load balancer got no good answer: check --health-path and the port, let the app listen on "
	 "0.0.0.0, and give it time to start (health check grace period)."},
	{{"failed container health checks"},
	 "The health check's command failed in the container: check its path and port, that the program it "
	 "calls (curl, wget) is in the image, and its start period."},
	{{"health check"},
	 "Check the health check's path, port and start period; the app has to listen on 0.0.0.0, not "
	 "127.0.0.1."},
	{{"Capacity is unavailable"},
	 "Fargate has no room in that zone at the moment: try again, or give subnets of other zones."},
	{{"limit on the number of vCPUs"},
	 "The account's quota of Fargate vCPUs is used up: stop other tasks or ask for more in Service "
	 "Quotas."},
	{{"unable to assume the role"},
	 "The role has to trust ecs-tasks.amazonaws.com; one that was just made is known after some "
	 "seconds: try again."},
	{{"unable to assume role"},
	 "The role has to trust ecs-tasks.amazonaws.com; one that was just made is known after some "
	 "seconds: try again."},
	{{"Spot"}, "AWS took the Spot capacity back: use FARGATE for what must not stop."},
	{{"did not stabilize"},
	 "The tasks start and stop again: 'slipway logs' shows what they say."},
};

/* Words of programs that die at their start. */
static const struct {
	const char *words[2];
	const char *hint;
} by_log[] = {
	{{"ImportError: cannot import name"},
	 "A Python package does not fit another one's version: pin both in requirements.txt."},
	{{"ModuleNotFoundError"},
	 "A Python package is missing in the image: is it in requirements.txt, and installed by the "
	 "Dockerfile?"},
	{{"Cannot find module"},
	 "A Node package is missing in the image: is it in package.json, and installed by the Dockerfile?"},
	{{"exec format error"},
	 "The image is for another architecture than the task's runtimePlatform: build with --platform "
	 "linux/amd64 or linux/arm64, or change the task's cpuArchitecture."},
	{{"Address already in use"},
	 "Two programs of the task want the same port: containers of a task share their network."},
	{{"Permission denied", "bind"},
	 "The image's user may not listen on a port below 1024: use a higher one."},
};

static bool has_all(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n && words[i]; i++)
		if (!strcasestr(text, words[i]))
			return false;
	return true;
}

static const char *hint_of_code(int code)
{
	switch (code) {
	case 137:
		return "Exit code 137 is SIGKILL: out of memory (raise --memory), or it did not stop "
		       "within stopTimeout after SIGTERM.";
	case 139:
		return "Exit code 139 is a segmentation fault of the program.";
	case 143:
		return "Exit code 143 is SIGTERM: something asked it to stop, such as a failed health "
		       "check.";
	case 126:
		return "Exit code 126: the command is there and may not be executed.";
	case 127:
		return "Exit code 127: a command was not found in the image.";
	case 0:
		return "It ended by itself with success: the command of a service has to stay in the "
		       "foreground.";
	default:
		return NULL;
	}
}

const char *failure_hint(const struct failure_facts *f)
{
	for (size_t i = 0; f->reason && i < ARRAY_SIZE(by_reason); i++)
		if (has_all(f->reason, by_reason[i].words, ARRAY_SIZE(by_reason[i].words)))
			return by_reason[i].hint;
	for (size_t i = 0; f->log && i < ARRAY_SIZE(by_log); i++)
		if (has_all(f->log, by_log[i].words, ARRAY_SIZE(by_log[i].words)))
			return by_log[i].hint;
	return f->exit_code >= 0 ? hint_of_code(f->exit_code) : NULL;
}

const char *exit_code_meaning(int code)
{
	switch (code) {
	case 126:
		return "not executable";
	case 127:
		return "command not found";
	case 134:
		return "aborted";
	case 137:
		return "killed";
	case 139:
		return "segmentation fault";
	case 143:
		return "terminated";
	default:
		return NULL;
	}
}
