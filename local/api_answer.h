/* Answers of the local target's API, as each of AWS's protocols writes them. */
#pragma once

#include "local/api_auth.h"
#include "local/api_service.h"
#include "net/server.h"

/* Appends the text of a success: c->output. */
void api_answer_write(struct strbuf *out, struct api_call *c, const char *action);
void api_answer(struct server_request *r, const struct api_call *c, const char *text, size_t len);
/* Answers what api_error() has set. */
void api_answer_error(struct server_request *r, const struct api_call *c);
/* Answers as the service refuses such a login. */
void api_answer_refusal(struct server_request *r, struct api_call *c, enum auth_problem problem,
			const char *message);
/* A signed request of a service that is none of ours, by another path or method than ours have: S3, Lambda .. */
bool api_answer_is_foreign(struct server_request *r);
void api_answer_foreign(struct server_request *r);
