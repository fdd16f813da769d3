#include "deploy/express_container.h"

#include <string.h>

#include "base/alloc.h"

/* Members that change what a container does. */
static const char *const REFUSED[] = {
	"entryPoint",
	"environmentFiles",
	"mountPoints",
	"volumesFrom",
	"user",
	"dependsOn",
	"workingDirectory",
	"ulimits",
	"linuxParameters",
	"stopTimeout",
	"readonlyRootFilesystem",
	"dockerLabels",
};

static bool is_set(const json_t *value)
{
	return json_is_array(value)    ? json_array_size(value) > 0
	       : json_is_object(value) ? json_object_size(value) > 0
				       : value && !json_is_null(value) && !json_is_false(value);
}

static int check(const struct deploy_target *t, const json_t *definition, const json_t *container,
		 struct error *err)
{
	if (json_array_size(json_object_get(definition, "containerDefinitions")) != 1)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"Express Mode takes one container, and the task definition has "
			"%zu: use --lb",
			json_array_size(json_object_get(definition, "containerDefinitions")));
	for (size_t i = 0; i < ARRAY_SIZE(REFUSED); i++)
		if (is_set(json_object_get(container, REFUSED[i])))
			return error_set(
				err, ERROR_UNSUPPORTED,
				"Express Mode has no place for %s of the container %s: use "
				"--lb",
				REFUSED[i], aws_text(container, "name"));
	if (is_set(json_object_get(container, "healthCheck")))
		report_log(t->reporter, LOG_WARNING,
			   "Express Mode leaves health to its load balancer: the container's own "
			   "health check is not used");
	return 0;
}

static int find_port(const json_t *container, int64_t *port, struct error *err)
{
	const json_t *mapping = json_array_get(json_object_get(container, "portMappings"), 0);

	if (*port == 0)
		*port = aws_int(mapping, "containerPort");
	if (strcmp(aws_text(mapping, "protocol"), "udp") == 0)
		return error_set(err, ERROR_UNSUPPORTED, "Express Mode serves HTTP, not UDP");
	if (*port > 0)
		return 0;
	error_set(err, ERROR_USAGE, "Express Mode needs the port that the container listens on");
	return error_hint(err, "give --port, or EXPOSE it in the Dockerfile");
}

static json_t *log_configuration(const json_t *container)
{
	const json_t *log = json_object_get(container, "logConfiguration");
	const json_t *options = json_object_get(log, "options");

	if (strcmp(aws_text(log, "logDriver"), "awslogs") != 0)
		return NULL;
	return json_pack("{s:s, s:s}", "logGroup", aws_text(options, "awslogs-group"),
			 "logStreamPrefix", aws_text(options, "awslogs-stream-prefix"));
}

int express_container_make(const struct deploy_target *t, const json_t *definition, int64_t port,
			   json_t **out, struct error *err)
{
	static const char *const copied[] = {"command", "environment", "secrets",
					     "repositoryCredentials"};
	const json_t *container = json_array_get(
		json_object_get(definition, "containerDefinitions"), 0);
	json_t *made, *log;

	if (check(t, definition, container, err) < 0 || find_port(container, &port, err) < 0)
		return -1;
	made = json_pack("{s:s, s:I}", "image", aws_text(container, "image"), "containerPort",
			 (json_int_t)port);
	log = log_configuration(container);
	if (log)
		json_object_set_new(made, "awsLogsConfiguration", log);
	for (size_t i = 0; i < ARRAY_SIZE(copied); i++)
		if (is_set(json_object_get(container, copied[i])))
			json_object_set(made, copied[i], json_object_get(container, copied[i]));
	*out = made;
	return 0;
}
