/* The table of rules. Names, descriptions and pages of docker's are part of its interface. */
#include "base/alloc.h"
#include "dockerfile/check.h"

#define URL "https://docs.docker.com/go/dockerfile/rule/"

static const struct check_rule_info rules[N_CHECK_RULES] = {
	[CHECK_STAGE_NAME_CASING] = {"StageNameCasing", "stage-name-casing",
				     "Stage names should be lowercase", CHECK_WARNING, false},
	[CHECK_FROM_AS_CASING] = {"FromAsCasing", "from-as-casing",
				  "The 'as' keyword should match the case of the 'from' keyword",
				  CHECK_WARNING, false},
	[CHECK_NO_EMPTY_CONTINUATION] =
		{"NoEmptyContinuation", "no-empty-continuation",
		 "Empty continuation lines will become errors in a future release", CHECK_WARNING,
		 false},
	[CHECK_INSTRUCTION_CASING] =
		{"ConsistentInstructionCasing", "consistent-instruction-casing",
		 "All commands within the Dockerfile should use the same casing (either upper or lower)",
		 CHECK_WARNING, false},
	[CHECK_DUPLICATE_STAGE_NAME] = {"DuplicateStageName", "duplicate-stage-name",
					"Stage names should be unique", CHECK_WARNING, false},
	[CHECK_RESERVED_STAGE_NAME] = {"ReservedStageName", "reserved-stage-name",
				       "Reserved words should not be used as stage names",
				       CHECK_WARNING, false},
	[CHECK_JSON_ARGS] =
		{"JSONArgsRecommended", "json-args-recommended",
		 "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior "
		 "related to OS signals",
		 CHECK_WARNING, false},
	[CHECK_MAINTAINER] =
		{"MaintainerDeprecated", "maintainer-deprecated",
		 "The MAINTAINER instruction is deprecated, use a label instead to define an image "
		 "author",
		 CHECK_WARNING, false},
	[CHECK_UNDEFINED_ARG_IN_FROM] = {"UndefinedArgInFrom", "undefined-arg-in-from",
					 "FROM command must use declared ARGs", CHECK_WARNING,
					 false},
	[CHECK_WORKDIR_RELATIVE] =
		{"WorkdirRelativePath", "workdir-relative-path",
		 "Relative workdir without an absolute workdir declared within the build can have "
		 "unexpected results if the base image changes",
		 CHECK_WARNING, false},
	[CHECK_UNDEFINED_VAR] = {"UndefinedVar", "undefined-var",
				 "Variables should be defined before their use", CHECK_WARNING,
				 false},
	[CHECK_MULTIPLE_INSTRUCTIONS] =
		{"MultipleInstructionsDisallowed", "multiple-instructions-disallowed",
		 "Multiple instructions of the same type should not be used in the same stage",
		 CHECK_WARNING, false},
	[CHECK_LEGACY_KEY_VALUE] =
		{"LegacyKeyValueFormat", "legacy-key-value-format",
		 "Legacy key/value format with whitespace separator should not be used",
		 CHECK_WARNING, false},
	[CHECK_BASE_IMAGE_PLATFORM] =
		{"InvalidBaseImagePlatform", NULL,
		 "Base image platform does not match expected target platform", CHECK_WARNING,
		 false},
	[CHECK_REDUNDANT_TARGET_PLATFORM] =
		{"RedundantTargetPlatform", "redundant-target-platform",
		 "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the "
		 "default behavior",
		 CHECK_WARNING, false},
	[CHECK_SECRETS] = {"SecretsUsedInArgOrEnv", "secrets-used-in-arg-or-env",
			   "Sensitive data should not be used in the ARG or ENV commands",
			   CHECK_WARNING, false},
	[CHECK_DEFAULT_ARG_IN_FROM] =
		{"InvalidDefaultArgInFrom", "invalid-default-arg-in-from",
		 "Default value for global ARG results in an empty or invalid base image name",
		 CHECK_WARNING, false},
	[CHECK_CONSTANT_PLATFORM] = {"FromPlatformFlagConstDisallowed",
				     "from-platform-flag-const-disallowed",
				     "FROM --platform flag should not use a constant value",
				     CHECK_WARNING, false},
	[CHECK_COPY_IGNORED] = {"CopyIgnoredFile", "copy-ignored-file",
				"Attempting to Copy file that is excluded by .dockerignore",
				CHECK_WARNING, false},
	[CHECK_DEFINITION_DESCRIPTION] =
		{"InvalidDefinitionDescription", "invalid-definition-description",
		 "Comment for build stage or argument should follow the format: `# <arg/stage name> "
		 "<description>`. If this is not intended to be a description comment, add an empty "
		 "line or comment between the instruction and the comment.",
		 CHECK_WARNING, true},
	[CHECK_EXPOSE_PROTO_CASING] = {"ExposeProtoCasing", "expose-proto-casing",
				       "Protocol in EXPOSE instruction should be lowercase",
				       CHECK_WARNING, false},
	[CHECK_EXPOSE_FORMAT] =
		{"ExposeInvalidFormat", "expose-invalid-format",
		 "IP address and host-port mapping should not be used in EXPOSE instruction. This "
		 "will become an error in a future release",
		 CHECK_WARNING, false},
	[CHECK_SYNTAX_IGNORED] =
		{"SyntaxIgnored", NULL,
		 "Frontend images are not used: every file is read as a Dockerfile", CHECK_WARNING,
		 false},
	[CHECK_COPY_UNWANTED] =
		{"CopyUnwantedFiles", NULL,
		 "Copying the whole context should not take in history, dependencies or secrets",
		 CHECK_SUGGESTION, false},
	[CHECK_CACHE_MOUNT] =
		{"CacheMountRecommended", NULL,
		 "A cache mount keeps what a package manager downloads between builds",
		 CHECK_SUGGESTION, false},
};

const struct check_rule_info *check_rule_info(enum check_rule rule)
{
	return &rules[rule];
}

char *check_rule_url(enum check_rule rule)
{
	return rules[rule].page ? xstrfmt(URL "%s/", rules[rule].page) : NULL;
}
