/*
 * What the files of the local ECR share. A document of STATE_REPOSITORIES is
 *
 *	{"repository": as DescribeRepositories gives it, without repositoryUri, "tags": [{"Key", "Value"}], "lifecyclePolicyText", "policyText"}
 *
 * and what the repository holds are the links of oci/repository.h, which the embedded registry serves.
 */
#pragma once

#include "local/api.h"
#include "oci/digest.h"

/* That of repositoryName (and registryId), and its name: views. NULL after api_error(). */
json_t *ecr_document(struct api_call *c, const char **name);
/* Sets registryId and repositoryName of the output. */
void ecr_output_name(struct api_call *c, const char *name);
/* An input member that is required: -1 after api_error(). */
int ecr_text(struct api_call *c, const char *name, const char **out);
int ecr_bad_parameter(struct api_call *c, const char *name, const char *why);
#define ecr_bad_parameter(...) (ecr_bad_parameter(__VA_ARGS__), error_result())
/* Adds tags of the input to the array, or gives those that are there their values. */
int ecr_add_tags(struct api_call *c, json_t *tags);
/* Writes the document, a view, as it is now. */
int ecr_save(struct api_call *c, const char *name, json_t *document);

/* May the tag of this document's repository never be moved? */
bool ecr_document_keeps_tag(const json_t *document, const char *tag);
