#include "aws/endpoint.h"

#include <string.h>

#include "aws/aws_private.h"
#include "base/alloc.h"
#include "net/url.h"

static const struct {
	struct aws_service_info info;
	const char *variable; /* AWS_ENDPOINT_URL_... */
	const char *setting;  /* of a [services] section */
	const char *label, *fips_label;
	const char *dual_label; /* of NAME.REGION.api.aws; NULL: has none */
	bool plain_fips_in_gov; /* in GovCloud the plain host is the FIPS one */
} services[] = {
	[AWS_AUTOSCALING] = {{"Application Auto Scaling", "application-autoscaling",
			      "AnyScaleFrontendService", AWS_JSON},
			     "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING",
			     "application_auto_scaling.endpoint_url",
			     "application-autoscaling",
			     "application-autoscaling-fips",
			     "application-autoscaling",
			     true},
	[AWS_EC2] = {{"EC2", "ec2", "2016-11-15", AWS_FORM},
		     "AWS_ENDPOINT_URL_EC2",
		     "ec2.endpoint_url",
		     "ec2",
		     "ec2-fips",
		     "ec2",
		     true},
	[AWS_ECR] = {{"ECR", "ecr", "AmazonEC2ContainerRegistry_V20150921", AWS_JSON},
		     "AWS_ENDPOINT_URL_ECR",
		     "ecr.endpoint_url",
		     "api.ecr",
		     "ecr-fips",
		     "ecr",
		     false},
	[AWS_ECR_PUBLIC] = {{"ECR Public", "ecr-public", "SpencerFrontendService", AWS_JSON},
			    "AWS_ENDPOINT_URL_ECR_PUBLIC",
			    "ecr_public.endpoint_url",
			    "api.ecr-public",
			    NULL,
			    "ecr-public",
			    false},
	[AWS_ECS] = {{"ECS", "ecs", "AmazonEC2ContainerServiceV20141113", AWS_JSON},
		     "AWS_ENDPOINT_URL_ECS",
		     "ecs.endpoint_url",
		     "ecs",
		     "ecs-fips",
		     "ecs",
		     false},
	[AWS_ELBV2] = {{"Elastic Load Balancing", "elasticloadbalancing", "2015-12-01", AWS_QUERY},
		       "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
		       "elastic_load_balancing_v2.endpoint_url",
		       "elasticloadbalancing",
		       "elasticloadbalancing-fips",
		       "elasticloadbalancing",
		       true},
	[AWS_IAM] = {{"IAM", "iam", "2010-05-08", AWS_QUERY},
		     "AWS_ENDPOINT_URL_IAM",
		     "iam.endpoint_url",
		     "iam",
		     "iam-fips",
		     NULL,
		     true},
	[AWS_LOGS] = {{"CloudWatch Logs", "logs", "Logs_20140328", AWS_JSON},
		      "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
		      "cloudwatch_logs.endpoint_url",
		      "logs",
		      "logs-fips",
		      "logs",
		      true},
	[AWS_SECRETSMANAGER] = {{"Secrets Manager", "secretsmanager", "secretsmanager", AWS_JSON},
				"AWS_ENDPOINT_URL_SECRETS_MANAGER",
				"secrets_manager.endpoint_url",
				"secretsmanager",
				"secretsmanager-fips",
				"secretsmanager",
				false},
	[AWS_SSM] = {{"SSM", "ssm", "AmazonSSM", AWS_JSON},
		     "AWS_ENDPOINT_URL_SSM",
		     "ssm.endpoint_url",
		     "ssm",
		     "ssm-fips",
		     "ssm",
		     true},
	[AWS_STS] = {{"STS", "sts", "2011-06-15", AWS_QUERY},
		     "AWS_ENDPOINT_URL_STS",
		     "sts.endpoint_url",
		     "sts",
		     "sts-fips",
		     "sts",
		     true},
};

static const struct {
	const char *prefix, *name, *suffix, *dual_suffix;
	const char *iam_host, *iam_region;
} partitions[] = {
	{"cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn",
	 "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"},
	{"eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu",
	 "iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"},
	{"us-iso-", "aws-iso", "c2s.ic.gov", NULL, "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
	{"us-isob-", "aws-iso-b", "sc2s.sgov.gov", NULL, "iam.us-isob-east-1.sc2s.sgov.gov",
	 "us-isob-east-1"},
	{"us-gov-", "aws-us-gov", "amazonaws.com", "api.aws", "iam.us-gov.amazonaws.com",
	 "us-gov-west-1"},
	{"", "aws", "amazonaws.com", "api.aws", "iam.amazonaws.com", "us-east-1"},
};

const struct aws_service_info *aws_service_info(enum aws_service s)
{
	return &services[s].info;
}

static size_t partition_of(const char *region)
{
	size_t i = 0;

	while (!str_starts(region, partitions[i].prefix))
		i++;
	return i;
}

const char *aws_region_partition(const char *region)
{
	return partitions[partition_of(region)].name;
}

const char *aws_region_suffix(const char *region)
{
	return partitions[partition_of(region)].suffix;
}

const char *aws_signing_region(enum aws_service s, const char *region)
{
	return s == AWS_IAM ? partitions[partition_of(region)].iam_region : region;
}

static int is_true(struct aws *a, const char *variable, const char *setting, bool *out,
		   struct error *err)
{
	const char *value = aws_env(a, variable);

	if (!value && aws_setting(a, setting, &value, err) < 0)
		return -1;
	*out = value && strcasecmp(value, "true") == 0;
	return 0;
}

/* What the user points elsewhere; NULL: nothing. */
static int find_override(struct aws *a, enum aws_service s, const char **url, struct error *err)
{
	const char *section;
	bool ignored;

	*url = a->o.endpoint_url;
	if (*url)
		return 0;
	if (is_true(a, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls",
		    &ignored, err) < 0)
		return -1;
	if (ignored)
		return 0;
	*url = aws_env(a, services[s].variable);
	if (!*url)
		*url = aws_env(a, "AWS_ENDPOINT_URL");
	if (*url)
		return 0;
	if (aws_setting(a, "services", &section, err) < 0)
		return -1;
	if (section)
		*url = aws_section_get(&a->profiles, "services", section, services[s].setting);
	return *url ? 0 : aws_setting(a, "endpoint_url", url, err);
}

static int check_override(const char *given, char **url, struct error *err)
{
	AUTO(url) u = {0};
	size_t n;

	if (url_parse(&u, given, err) < 0)
		return error_wrap(err, "the AWS endpoint");
	if (!url_is_http(&u) || u.userinfo || u.query)
		return error_set(err, ERROR_USAGE,
				 "the AWS endpoint has to be http(s)://HOST[:PORT][/PATH]");
	*url = url_format(&u);
	for (n = strlen(*url); n && (*url)[n - 1] == '/'; n--)
		(*url)[n - 1] = '\0';
	return 0;
}

int aws_endpoint(struct aws *a, enum aws_service s, const char *region, char **url,
		 struct error *err)
{
	size_t p = partition_of(region);
	const char *given;
	bool fips, dual;

	if (find_override(a, s, &given, err) < 0)
		return -1;
	if (given)
		return check_override(given, url, err);
	if (is_true(a, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", &fips, err) < 0 ||
	    is_true(a, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", &dual, err) < 0)
		return -1;
	if (s == AWS_ECR_PUBLIC && strcmp(region, "us-east-1") != 0 &&
	    strcmp(region, "us-west-2") != 0)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"ECR Public has no endpoint in %s: only in us-east-1 and us-west-2",
			region);
	if (fips && !services[s].fips_label)
		return error_set(err, ERROR_UNSUPPORTED, "%s has no FIPS endpoint",
				 services[s].info.name);
	if (services[s].plain_fips_in_gov && str_starts(region, "us-gov-"))
		fips = false;
	if (s == AWS_IAM)
		*url = xstrfmt("https://%s", fips && p + 1 == ARRAY_SIZE(partitions)
						     ? "iam-fips.amazonaws.com"
						     : partitions[p].iam_host);
	else if (dual && services[s].dual_label && partitions[p].dual_suffix)
		*url = xstrfmt("https://%s.%s.%s",
			       fips ? services[s].fips_label : services[s].dual_label, region,
			       partitions[p].dual_suffix);
	else
		*url = xstrfmt("https://%s.%s.%s",
			       fips ? services[s].fips_label : services[s].label, region,
			       partitions[p].suffix);
	return 0;
}
