#include <string.h>

#include "base/alloc.h"
#include "deploy/task_definition.h"
#include "deploy/task_json.h"

void task_definition_ports(const struct task_definition *td, struct strlist *out)
{
	size_t i, k;
	json_t *c, *port;

	json_array_foreach (task_definition_containers(td), i, c)
		json_array_foreach (json_object_get(c, "portMappings"), k, port) {
			const char *protocol = aws_text(port, "protocol");
			int64_t number = task_json_int(port, "containerPort", 0);
			AUTO_FREE char *text = xstrfmt("%lld/%s", (long long)number,
						       *protocol ? protocol : "tcp");

			if (number > 0)
				task_json_add_once(out, text);
		}
}

void task_definition_log_groups(const struct task_definition *td, struct strlist *out)
{
	size_t i;
	json_t *c;

	json_array_foreach (task_definition_containers(td), i, c) {
		json_t *log = json_object_get(c, "logConfiguration");
		const char *group = aws_text(json_object_get(log, "options"), "awslogs-group");

		if (*group && strcmp(aws_text(log, "logDriver"), "awslogs") == 0)
			task_json_add_once(out, group);
	}
}

static void add_values(json_t *secrets, struct strlist *out)
{
	size_t i;
	json_t *secret;

	json_array_foreach (secrets, i, secret)
		if (*aws_text(secret, "valueFrom"))
			task_json_add_once(out, aws_text(secret, "valueFrom"));
}

void task_definition_secrets(const struct task_definition *td, struct strlist *out)
{
	size_t i;
	json_t *c;

	json_array_foreach (task_definition_containers(td), i, c) {
		json_t *login = json_object_get(c, "repositoryCredentials");
		json_t *log = json_object_get(c, "logConfiguration");

		add_values(json_object_get(c, "secrets"), out);
		add_values(json_object_get(log, "secretOptions"), out);
		if (*aws_text(login, "credentialsParameter"))
			task_json_add_once(out, aws_text(login, "credentialsParameter"));
	}
}

/* ACCOUNT.dkr.ecr.REGION...: pulled with the execution role; public.ecr.aws is not. */
static bool is_private_ecr(const char *image)
{
	const char *slash = strchr(image, '/'), *mark = strstr(image, ".dkr.ecr");

	if (!mark)
		mark = strstr(image, ".dkr-ecr");
	return mark && slash && mark < slash;
}

const char *task_definition_needs_execution_role(const struct task_definition *td)
{
	AUTO(strlist) secrets = STRLIST_INIT;
	bool fargate = task_definition_is_fargate(td);
	size_t i;
	json_t *c;

	task_definition_secrets(td, &secrets);
	if (secrets.n)
		return "it has secrets";
	if (!fargate)
		return NULL;
	json_array_foreach (task_definition_containers(td), i, c) {
		json_t *log = json_object_get(c, "logConfiguration");

		if (is_private_ecr(aws_text(c, "image")))
			return "an image is at ECR";
		if (strcmp(aws_text(log, "logDriver"), "awslogs") == 0)
			return "it logs to CloudWatch";
	}
	return NULL;
}
