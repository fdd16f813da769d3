/* Services: where they are in a region, and how they are spoken to. */
#pragma once

#include "aws/aws.h"

enum aws_service {
	AWS_AUTOSCALING, /* Application Auto Scaling */
	AWS_EC2,
	AWS_ECR,
	AWS_ECR_PUBLIC,
	AWS_ECS,
	AWS_ELBV2,
	AWS_IAM,
	AWS_LOGS,
	AWS_SECRETSMANAGER,
	AWS_SSM,
	AWS_STS,
};
enum aws_protocol {
	AWS_JSON,  /* JSON 1.1 */
	AWS_QUERY, /* a form, answered in XML; lists are NAME.member.N */
	AWS_FORM,  /* EC2's own: lists are NAME.N */
};

struct aws_service_info {
	const char *name;         /* "ECR" */
	const char *signing_name; /* of the signature's scope */
	const char *target;       /* JSON: prefix of X-Amz-Target; query: the API's version */
	enum aws_protocol protocol;
};
const struct aws_service_info *aws_service_info(enum aws_service s);

/*
 * The URL of the service, without a slash at the end: AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's, else the
 * region's own host, with AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT; free(). ERROR_UNSUPPORTED for a region
 * that the service is not in.
 */
int aws_endpoint(struct aws *a, enum aws_service s, const char *region, char **url,
		 struct error *err);
/* The region that a signature names: IAM has one for a whole partition. */
const char *aws_signing_region(enum aws_service s, const char *region);
/* "aws", "aws-cn", ...: the partition that the region is in, as ARNs have it. */
const char *aws_region_partition(const char *region);
/* "amazonaws.com", "amazonaws.com.cn", ...: of the partition that the region is in. */
const char *aws_region_suffix(const char *region);
