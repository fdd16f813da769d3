/*
 * Elastic Load Balancing of the local target: there never is a load balancer, and who looks for some (slipway destroy, Terraform's plans) is told so.
 * Making one is refused (api_services.c).
 */
#include "local/api_service.h"

static bool is_named(const struct api_call *c, const char *names, const char *arns)
{
	return json_array_size(json_object_get(c->input, names)) > 0 ||
	       json_array_size(json_object_get(c->input, arns)) > 0;
}

static int describe_load_balancers(struct api_call *c)
{
	if (is_named(c, "Names", "LoadBalancerArns"))
		return api_error(c, "LoadBalancerNotFound", "One or more load balancers not found");
	json_object_set_new(c->output, "LoadBalancers", json_array());
	return 0;
}

static int describe_target_groups(struct api_call *c)
{
	if (is_named(c, "Names", "TargetGroupArns"))
		return api_error(c, "TargetGroupNotFound", "One or more target groups not found");
	json_object_set_new(c->output, "TargetGroups", json_array());
	return 0;
}

const struct api_operation api_elbv2[] = {
	{"DescribeLoadBalancers", describe_load_balancers, false},
	{"DescribeTargetGroups", describe_target_groups, false},
	{0},
};
