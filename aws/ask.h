/*
 * A question to an AWS service and its answer, both as JSON whatever the service speaks: forms are written and XML is read here.
 *
 *	AUTO(aws_reply) reply = {0};
 *	AUTO_JSON *params = json_pack("{s:[s]}", "clusters", name);
 *	aws_ask(a, &(struct aws_question){AWS_ECS, "DescribeClusters", params}, &reply, err)
 *	json_object_get(reply.json, "clusters")
 */
#pragma once

#include "aws/client.h"

struct aws_question {
	enum aws_service service;
	const char *operation;
	/*
	 * A view; NULL: none. Members are called as in the service's own messages; a form flattens them: {"Filter": [{"Name":
	 * "vpc-id", "Value": ["v"]}]} is Filter.1.Name=vpc-id&Filter.1.Value.1=v for EC2, with ".member" before numbers elsewhere.
	 */
	json_t *params;
	const char
		*fine[3]; /* error codes that are no failure: "RepositoryAlreadyExistsException" */
	bool waiting;     /* asked again and again while something else happens: tries longer */
	const char *region; /* NULL: the configured one */
};

struct aws_reply {
	json_t *json;  /* an object; NULL after an error */
	char *code;    /* AWS's error code, also of a fine one; NULL: none */
	char *message; /* AWS's words for it */
};

/* Errors as aws_call(). */
int aws_ask(struct aws *a, const struct aws_question *q, struct aws_reply *out, struct error *err);
/*
 * All pages: the members of the arrays called key, in one new array. q->params is changed (the page's token) and must be given.
 */
int aws_ask_all(struct aws *a, const struct aws_question *q, const char *key, json_t **out,
		struct error *err);
bool aws_reply_is(const struct aws_reply *reply, const char *code);
void aws_reply_release(struct aws_reply *reply);

/* Text of a member, "" when it is not there: for reading what AWS describes. */
const char *aws_text(const json_t *object, const char *key);
int64_t aws_int(const json_t *object, const char *key);

CLEANUP_RELEASE(aws_reply)
