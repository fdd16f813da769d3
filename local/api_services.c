#include "local/api_service.h"

#include <string.h>

#include "base/alloc.h"

#define LOWER_PAGES "maxResults", "nextToken", "nextToken"
#define UPPER_PAGES "MaxResults", "NextToken", "NextToken"

const struct api_service api_services[] = {
	{"sts", "2011-06-15", API_QUERY, "InternalFailure", UPPER_PAGES, NULL, {api_sts}},
	{"ecs",
	 "AmazonEC2ContainerServiceV20141113",
	 API_JSON,
	 "ServerException",
	 LOWER_PAGES,
	 NULL,
	 {api_ecs_clusters, api_ecs_definitions, api_ecs_tasks, api_ecs_services,
	  api_ecs_deployments}},
	{"ecr",
	 "AmazonEC2ContainerRegistry_V20150921",
	 API_JSON,
	 "ServerException",
	 LOWER_PAGES,
	 NULL,
	 {api_ecr, api_ecr_images, api_ecr_policies}},
	{"logs",
	 "Logs_20140328",
	 API_JSON,
	 "ServiceUnavailableException",
	 "limit",
	 "nextToken",
	 "nextToken",
	 NULL,
	 {api_logs, api_logs_settings, api_logs_events}},
	{"iam",
	 "2010-05-08",
	 API_QUERY,
	 "ServiceFailure",
	 "MaxItems",
	 "Marker",
	 "Marker",
	 NULL,
	 {api_iam, api_iam_policies}},
	{"application-autoscaling",
	 "AnyScaleFrontendService",
	 API_JSON,
	 "InternalServiceException",
	 UPPER_PAGES,
	 NULL,
	 {api_autoscaling}},
	{"ec2",
	 "2016-11-15",
	 API_EC2,
	 "InternalError",
	 "MaxResults",
	 "NextToken",
	 "nextToken",
	 NULL,
	 {api_ec2, api_ec2_groups}},
	{"secretsmanager",
	 "secretsmanager",
	 API_JSON,
	 "InternalServiceError",
	 UPPER_PAGES,
	 NULL,
	 {api_secretsmanager}},
	{"ssm", "AmazonSSM", API_JSON, "InternalServerError", UPPER_PAGES, NULL, {api_ssm}},
	{"elasticloadbalancing",
	 "2015-12-01",
	 API_QUERY,
	 "InternalFailure",
	 "PageSize",
	 "Marker",
	 "NextMarker",
	 "the local target has no load balancers and needs none: each service has an address of its "
	 "own that balances over its healthy tasks, and stays the same",
	 {api_elbv2}},
	{0},
};

const struct api_service *api_service_of_target(const char *target, const char **operation)
{
	const char *dot = strrchr(target, '.');

	for (const struct api_service *s = api_services; dot && s->name; s++) {
		if (s->protocol != API_JSON || strlen(s->target) != (size_t)(dot - target) ||
		    strncmp(s->target, target, strlen(s->target)) != 0)
			continue;
		*operation = dot + 1;
		return s;
	}
	return NULL;
}

const struct api_service *api_service_of_version(const char *version)
{
	for (const struct api_service *s = api_services; s->name; s++)
		if (s->protocol != API_JSON && strcmp(s->target, version) == 0)
			return s;
	return NULL;
}

const struct api_service *api_service_named(const char *name)
{
	for (const struct api_service *s = api_services; name && s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

const struct api_operation *api_service_find(const struct api_service *s, const char *operation)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->tables) && s->tables[i]; i++)
		for (const struct api_operation *o = s->tables[i]; o->name; o++)
			if (strcmp(o->name, operation) == 0)
				return o;
	return NULL;
}

void api_service_list(struct strbuf *out, const struct api_service *s)
{
	const char *between = "";

	if (!s) {
		for (s = api_services; s->name; s++) {
			if (s->absent)
				continue;
			strbuf_printf(out, "%s%s", between, s->name);
			between = ", ";
		}
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(s->tables) && s->tables[i]; i++) {
		for (const struct api_operation *o = s->tables[i]; o->name; o++) {
			strbuf_printf(out, "%s%s", between, o->name);
			between = ", ";
		}
	}
}
