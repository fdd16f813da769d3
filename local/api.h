/*
 * The API of the local target: one request, recognised by X-Amz-Target (JSON 1.1) or by Action and Version of a form (STS, IAM, EC2), its
 * signature verified (aws/sigv4.h), its input as JSON whatever it came as, its output written as the service writes it: JSON, or XML
 * whose elements are the members.
 *
 *	static int create_cluster(struct api_call *c)
 *	{
 *		if (bad)
 *			return api_error(c, "InvalidParameterException", "Unable to ...");
 *		json_object_set_new(c->output, "cluster", document);
 *		return 0;
 *	}
 *	const struct api_operation api_ecs_clusters[] = {{"CreateCluster", create_cluster}, {0}};
 *
 * An operation runs with the state's lock held, so it sees and changes all or nothing, and must not wait.
 */
#pragma once

#include "base/strbuf.h"
#include "local/local.h"

struct api_service;

struct api_call {
	struct local *local;
	const struct api_service *service; /* local/api_service.h */
	const char *region, *account;      /* the local target's own */
	const char *host;                  /* that the client asked, "127.0.0.1:4599" */
	const char *caller;                /* ARN of the one whose keys signed */
	json_t *input; /* an object, a view: members as in the service's model; lists and structures of forms are unflattened, their scalars are texts */
	json_t *output; /* an object to fill */
	/* set by api_error() */
	int status;
	char *code, *message;
};

struct api_operation {
	const char *name;
	int (*run)(struct api_call *c); /* 0, or -1 after api_error() */
	bool open;                      /* needs no signature, as AssumeRoleWithWebIdentity */
};

/* Tables end with a row without name; a service may have several: api_services.c lists them. */
extern const struct api_operation api_sts[], api_elbv2[], api_iam[], api_iam_policies[], api_ec2[],
	api_ec2_groups[], api_autoscaling[], api_secretsmanager[], api_ssm[];
extern const struct api_operation api_ecr[], api_ecr_images[], api_ecr_policies[], api_logs[],
	api_logs_settings[], api_logs_events[];
extern const struct api_operation api_ecs_clusters[], api_ecs_services[], api_ecs_tasks[],
	api_ecs_definitions[], api_ecs_deployments[];

/* AWS's code and message, with the status that the code has there: 400 but for some of IAM. Returns -1. */
int api_error(struct api_call *c, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What went wrong with the state or store itself: 500 in the service's own code (ServerException ..). Returns -1. */
int api_failure(struct api_call *c, const struct error *err);
/* As in base/error.h: analysers see the -1. */
#define api_error(...)   (api_error(__VA_ARGS__), error_result())
#define api_failure(...) (api_failure(__VA_ARGS__), error_result())
/* Writes a document of the state, which is given away, or removes one: 0, or api_failure(). */
int api_put(struct api_call *c, const char *kind, const char *key, json_t *document);
int api_remove(struct api_call *c, const char *kind, const char *key);
/* Text of an input member, NULL when absent; anything but text is a SerializationException: -1. */
int api_text(struct api_call *c, const char *name, const char **out);
int api_int(struct api_call *c, const char *name, int64_t *out, int64_t fallback);
int api_flag(struct api_call *c, const char *name, bool *out, bool fallback);
/* "arn:aws:ecs:REGION:ACCOUNT:what"; free(). */
char *api_arn(const struct api_call *c, const char *service, const char *what);
/* Now, as JSON 1.1 writes times: seconds since 1970 with fraction; a new reference. */
json_t *api_now(void);
/*
 * Pages: cuts array (changed) to what maxResults and nextToken of the input ask for (as the service calls them), at most limit, and sets nextToken of the
 * output. A token that is none of ours is an InvalidParameterException.
 */
int api_page(struct api_call *c, json_t *array, size_t limit);
