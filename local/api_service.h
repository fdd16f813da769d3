/* The services of the local target's API, and how each speaks. */
#pragma once

#include "local/api.h"

enum api_protocol { API_JSON, API_QUERY, API_EC2 };

struct api_service {
	const char *name;   /* that requests are signed for: "ecs" */
	const char *target; /* prefix of X-Amz-Target, or the Version of forms */
	enum api_protocol protocol;
	const char *failure; /* its code for what went wrong here: status 500 */
	/* Names of what cuts lists in pages: in the input, and of the next one in the output. */
	const char *page_size, *page_token, *page_next;
	const char *absent; /* why its other operations are not here; NULL: there is no reason */
	const struct api_operation *tables[5];
};

extern const struct api_service api_services[]; /* ends with a NULL name */

/* target: "PREFIX.Operation", of which *operation (a view) is what is behind the last dot. NULL: no such service. */
const struct api_service *api_service_of_target(const char *target, const char **operation);
const struct api_service *api_service_of_version(const char *version);
/* By the name in a signature's scope; NULL is allowed. */
const struct api_service *api_service_named(const char *name);
/* NULL: there is none. */
const struct api_operation *api_service_find(const struct api_service *s, const char *operation);
/* Appends what there is: "CreateCluster, DescribeClusters, .."; NULL: the services. */
void api_service_list(struct strbuf *out, const struct api_service *s);
