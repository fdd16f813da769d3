/* Rules of one container. */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/lint_private.h"
#include "deploy/task_compare.h"
#include "deploy/task_json.h"
#include "oci/reference.h"

static void image(struct lint *l, const json_t *c, const struct lint_place *at)
{
	const char *name = aws_text(c, "image");
	AUTO(image_ref) ref = {0};
	AUTO(error) err = ERROR_INIT;

	if (!*name)
		lint_say(l, at, "image is missing");
	else if (image_ref_parse(&ref, name, &err) < 0)
		lint_say(l, LINT_AT(at, "image"), "%s", err.message);
}

static void one_port(struct lint *l, const json_t *port, const struct lint_place *at)
{
	int64_t inside = task_json_int(port, "containerPort", -1);
	int64_t outside = task_json_int(port, "hostPort", -1);
	bool range = *aws_text(port, "containerPortRange") != '\0';

	if (!range && (inside < 1 || inside > 65535))
		lint_say(l, at, "containerPort has to be a number from 1 to 65535");
	if (outside != -1 && (outside < 0 || outside > 65535))
		lint_say(l, LINT_AT(at, "hostPort"), "%lld is no port", (long long)outside);
	else if ((l->own_network || strcmp(l->network_mode, "host") == 0) && outside != -1 &&
		 !range && outside != inside)
		lint_say(l, LINT_AT(at, "hostPort"),
			 "with networkMode %s it is left out or the same as containerPort (%lld)",
			 l->network_mode, (long long)inside);
	if (strcmp(l->network_mode, "none") == 0)
		lint_say(l, at, "with networkMode none there are no ports");
}

static void ports(struct lint *l, const json_t *c, const struct lint_place *at)
{
	json_t *port;
	size_t i;

	json_array_foreach (json_object_get(c, "portMappings"), i, port)
		one_port(l, port, LINT_IN(LINT_AT(at, "portMappings"), i, NULL));
}

static void awslogs(struct lint *l, const json_t *options, const struct lint_place *at)
{
	static const char *const needed[] = {"awslogs-group", "awslogs-region",
					     "awslogs-stream-prefix"};
	const char *mode = aws_text(options, "mode");

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!*aws_text(options, needed[i]) && (l->fargate || i == 0))
			lint_say(l, at, "awslogs needs the option %s%s", needed[i],
				 l->fargate && i ? " on Fargate" : "");
	if (strcmp(aws_text(options, "awslogs-create-group"), "true") == 0)
		lint_say_as(l, LINT_WARNING, LINT_AT(at, "awslogs-create-group"),
			    "the policy AmazonECSTaskExecutionRolePolicy does not allow "
			    "logs:CreateLogGroup: add it to the execution role, or make the group "
			    "beforehand");
	if (*mode && strcmp(mode, "blocking") != 0 && strcmp(mode, "non-blocking") != 0)
		lint_say(l, LINT_AT(at, "mode"), "it is \"blocking\" or \"non-blocking\"");
	if (*aws_text(options, "max-buffer-size") && strcmp(mode, "blocking") == 0)
		lint_say(l, LINT_AT(at, "max-buffer-size"),
			 "it means something only with mode non-blocking");
}

static void logs(struct lint *l, const json_t *c, const struct lint_place *at)
{
	static const char *const on_fargate[] = {"awslogs", "splunk", "awsfirelens"};
	json_t *log = json_object_get(c, "logConfiguration");
	json_t *options = json_object_get(log, "options"), *value;
	const char *driver = aws_text(log, "logDriver"), *key;
	const struct lint_place *here = LINT_AT(at, "logConfiguration");

	if (!log)
		return;
	if (l->fargate && *driver && !str_in(driver, on_fargate, ARRAY_SIZE(on_fargate)))
		lint_say(l, LINT_AT(here, "logDriver"),
			 "Fargate has awslogs, splunk and awsfirelens, no %s", driver);
	if (strcmp(driver, "awslogs") == 0)
		awslogs(l, options, LINT_AT(here, "options"));
	else
		json_object_foreach (options, key, value)
			if (task_name_is_secret(key) && *task_json_string(value))
				lint_say_as(l, LINT_WARNING, LINT_AT(LINT_AT(here, "options"), key),
					    "who may describe the task definition can read it: "
					    "put it into secretOptions");
}

struct range_row {
	const char *key;
	int64_t least, most;
};

/* ECS API Reference, HealthCheck. */
static const struct range_row health_ranges[] = {
	{"interval", 5, 300}, {"timeout", 2, 60}, {"retries", 1, 10}, {"startPeriod", 0, 300}};

static void health(struct lint *l, const json_t *c, const struct lint_place *at)
{
	json_t *check = json_object_get(c, "healthCheck");
	json_t *command = json_object_get(check, "command");
	const char *word = task_json_string(json_array_get(command, 0));
	const struct lint_place *here = LINT_AT(at, "healthCheck");

	if (!check)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(health_ranges); i++) {
		const struct range_row *r = &health_ranges[i];
		int64_t value = task_json_int(check, r->key, r->least);

		if (value < r->least || value > r->most)
			lint_say(l, LINT_AT(here, r->key), "%lld: ECS takes %lld to %lld",
				 (long long)value, (long long)r->least, (long long)r->most);
	}
	here = LINT_AT(here, "command");
	if (strcmp(word, "CMD") != 0 && strcmp(word, "CMD-SHELL") != 0)
		lint_say(l, here,
			 "it begins with \"CMD-SHELL\" (one command line) or \"CMD\" (a "
			 "program and its arguments)");
	else if (json_array_size(command) < 2)
		lint_say(l, here, "there is nothing to run after \"%s\"", word);
	else if (strcmp(word, "CMD-SHELL") == 0 && json_array_size(command) > 2)
		lint_say(l, here, "after \"CMD-SHELL\" comes one text, the whole command line");
}

/* The fields of an ARN: "arn:aws:ssm:..." has 0 to count-1. */
static size_t count_colons(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == ':';
	return n;
}

/* What is wrong with where a secret comes from; NULL: nothing. */
static const char *secret_problem(const char *from)
{
	size_t colons = count_colons(from);

	if (!*from)
		return "valueFrom is missing";
	if (!str_starts(from, "arn:"))
		return strpbrk(from, " :=") ? "it is no ARN, and no name of a parameter either: a "
					      "secret's value never goes into a task definition"
					    : NULL;
	if (strstr(from, ":ssm:"))
		return strstr(from, ":parameter/") && colons == 5
			       ? NULL
			       : "an ARN of SSM is arn:aws:ssm:REGION:ACCOUNT:parameter/NAME";
	if (!strstr(from, ":secretsmanager:"))
		return "it is an ARN of neither SSM (parameter) nor Secrets Manager (secret)";
	return strstr(from, ":secret:") && (colons == 6 || colons == 9)
		       ? NULL
		       : "an ARN of Secrets Manager is arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, "
			 "with JSON key, version stage and version id after it all three colons: "
			 ":KEY::";
}

static void check_secrets(struct lint *l, const json_t *list, const struct lint_place *at)
{
	json_t *secret;
	size_t i;

	json_array_foreach (list, i, secret) {
		const char *problem = secret_problem(aws_text(secret, "valueFrom"));

		if (problem)
			lint_say(l, LINT_IN(at, i, aws_text(secret, "name")), "%s", problem);
	}
}

static void secrets(struct lint *l, const json_t *c, const struct lint_place *at)
{
	const json_t *log = json_object_get(c, "logConfiguration");

	check_secrets(l, json_object_get(c, "secrets"), LINT_AT(at, "secrets"));
	check_secrets(l, json_object_get(log, "secretOptions"),
		      LINT_AT(LINT_AT(at, "logConfiguration"), "secretOptions"));
}

static void environment(struct lint *l, const json_t *c, const struct lint_place *at)
{
	static const char *const lists[] = {"environment", "secrets"};
	AUTO(strlist) seen = STRLIST_INIT;
	json_t *entry;
	size_t i, k;

	for (k = 0; k < ARRAY_SIZE(lists); k++)
		json_array_foreach (json_object_get(c, lists[k]), i, entry) {
			const char *name = aws_text(entry, "name");
			const struct lint_place *here = LINT_IN(LINT_AT(at, lists[k]), i, name);

			if (!*name || strchr(name, '='))
				lint_say(l, here, "a variable needs a name without \"=\"");
			else if (strlist_has(&seen, name))
				lint_say(l, here, "the variable is there twice");
			strlist_add(&seen, name);
		}
}

/* Words of a name that say what its value is, and last words that say it is something about it. */
static const char *const secret_words[] = {"apikey", "auth",       "credential", "credentials",
					   "key",    "passphrase", "password",   "passwd",
					   "pword",  "secret",     "secrets",    "token"};
static const char *const harmless_ends[] = {"algorithm", "arn",  "file", "header", "id",
					    "length",    "name", "path", "prefix", "size",
					    "ttl",       "type", "uri",  "url"};

/* API_KEY and DB_PASSWORD; not KEYBOARD, PUBLIC_KEY, AWS_ACCESS_KEY_ID or TOKEN_URL. */
static bool sounds_secret(const char *name)
{
	bool secret = false;
	char word[32] = "";

	for (const char *s = name; *s;) {
		size_t len = strcspn(s, "_-.");

		(void)snprintf(word, sizeof(word), "%.*s", (int)(len < 31 ? len : 31), s);
		for (char *c = word; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		if (strcmp(word, "public") == 0)
			return false;
		secret |= str_in(word, secret_words, ARRAY_SIZE(secret_words));
		s += len;
		s += *s != '\0';
	}
	return secret && !str_in(word, harmless_ends, ARRAY_SIZE(harmless_ends));
}

static void open_secret(struct lint *l, const json_t *c, const struct lint_place *at)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(c, "environment"), i, entry) {
		const char *name = aws_text(entry, "name");

		if (sounds_secret(name) && *aws_text(entry, "value"))
			lint_say(l, LINT_IN(LINT_AT(at, "environment"), i, name),
				 "its name sounds secret, and who may describe the task definition "
				 "can read it: keep it in SSM or Secrets Manager (secrets)");
	}
}

static void environment_files(struct lint *l, const json_t *c, const struct lint_place *at)
{
	json_t *list = json_object_get(c, "environmentFiles"), *file;
	size_t i;

	if (json_array_size(list) > 10)
		lint_say(l, LINT_AT(at, "environmentFiles"), "%zu files: ECS takes 10",
			 json_array_size(list));
	json_array_foreach (list, i, file) {
		const char *value = aws_text(file, "value");

		if (!strstr(value, ":s3:::") || !str_ends(value, ".env"))
			lint_say(l, LINT_IN(LINT_AT(at, "environmentFiles"), i, NULL),
				 "\"%s\": the ARN of a file at S3 that ends in .env is expected "
				 "(arn:aws:s3:::BUCKET/FILE.env)",
				 value);
	}
}

/* A command line where a list of words belongs: the whole would be taken for the program's name. */
static void words(struct lint *l, const json_t *c, const struct lint_place *at)
{
	static const char *const lists[] = {"entryPoint", "command"};
	bool has_entry = json_array_size(json_object_get(c, "entryPoint")) > 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const json_t *list = json_object_get(c, lists[i]);
		const char *word = task_json_string(json_array_get(list, 0));

		if (json_array_size(list) == 1 && strchr(word, ' ') && (i == 0 || !has_entry))
			lint_say(l, LINT_AT(at, lists[i]),
				 "it is one word with blanks, which would be the program's name: "
				 "make it a word for each argument, or [\"sh\", \"-c\", \"...\"]");
	}
}

static void restart(struct lint *l, const json_t *c, const struct lint_place *at)
{
	json_t *policy = json_object_get(c, "restartPolicy");
	int64_t period = task_json_int(policy, "restartAttemptPeriod", 60);
	const struct lint_place *here = LINT_AT(at, "restartPolicy");

	if (period < 60 || period > 1800)
		lint_say(l, LINT_AT(here, "restartAttemptPeriod"),
			 "%lld: ECS takes 60 to 1800 seconds", (long long)period);
	if (json_array_size(json_object_get(policy, "ignoredExitCodes")) > 50)
		lint_say(l, LINT_AT(here, "ignoredExitCodes"), "ECS takes 50");
}

static void ulimits(struct lint *l, const json_t *c, const struct lint_place *at)
{
	json_t *limit;
	size_t i;

	json_array_foreach (json_object_get(c, "ulimits"), i, limit) {
		int64_t soft = task_json_int(limit, "softLimit", 0);
		int64_t hard = task_json_int(limit, "hardLimit", soft);

		if (hard >= 0 && soft > hard)
			lint_say(l, LINT_IN(LINT_AT(at, "ulimits"), i, aws_text(limit, "name")),
				 "softLimit (%lld) is more than hardLimit (%lld)", (long long)soft,
				 (long long)hard);
	}
}

static void working_directory(struct lint *l, const json_t *c, const struct lint_place *at)
{
	const char *path = aws_text(c, "workingDirectory");

	if (*path && *path != '/')
		lint_say(l, LINT_AT(at, "workingDirectory"),
			 "\"%s\" does not begin with /: the container would not start", path);
}

const struct lint_rule lint_rules_container[] = {
	{"image", LINT_ERROR, NULL, image},
	{"port", LINT_ERROR, NULL, ports},
	{"logs", LINT_ERROR, NULL, logs},
	{"health-check", LINT_ERROR, NULL, health},
	{"secret", LINT_ERROR, NULL, secrets},
	{"variable", LINT_ERROR, NULL, environment},
	{"open-secret", LINT_WARNING, NULL, open_secret},
	{"environment-file", LINT_ERROR, NULL, environment_files},
	{"words", LINT_WARNING, NULL, words},
	{"restart", LINT_ERROR, NULL, restart},
	{"ulimit", LINT_ERROR, NULL, ulimits},
	{"working-directory", LINT_ERROR, NULL, working_directory},
	{NULL, LINT_ERROR, NULL, NULL},
};
