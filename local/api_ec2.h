/* What the files of the local target's EC2 share. Things are objects with the members of EC2's own XML: "vpcId", "tagSet". */
#pragma once

#include "local/api.h"

/* How things of a kind are asked for. */
struct ec2_kind {
	const char *output; /* "vpcSet" */
	const char *ids;    /* of the input, "VpcId" */
	const char *id;     /* "vpcId" */
	const char *code;   /* of an id that there is none of: "InvalidVpcID.NotFound" */
	const char *what;   /* "vpc ID" */
	/* Filters, and the members they are about: "routeSet.gatewayId" through the lists on the way. tag:KEY and tag-key are everywhere. */
	struct {
		const char *name, *member;
	} filters[12];
};

/* Those of things (takes the reference) that the input's ids and filters mean, in pages, to the output. */
int ec2_describe(struct api_call *c, const struct ec2_kind *kind, json_t *things);
/* Reads tags of the input ("Tag" lists of Key and Value) into a tagSet: a key that is there gets the new value. */
int ec2_merge_tags(struct api_call *c, const json_t *given, json_t *set);
/* The group of GroupId, or GroupName, of the input. */
int ec2_group(struct api_call *c, json_t **group);
