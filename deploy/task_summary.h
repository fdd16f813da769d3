/*
 * Tasks as people want to see them: what DescribeTasks and EC2 say, as objects with names of our own, the same for lists and --json:
 *
 *	id arn name taskDefinition status desiredStatus health launchType created started stopped stopCode reason
 *	publicIp privateIp execute containers: [name image status exitCode reason health]
 *
 * name: of the service, else of the family. Times are RFC 3339 in UTC. What is not known is left away.
 */
#pragma once

#include "deploy/target.h"

/*
 * tasks: of DescribeTasks. A new array in the same order. Addresses that may not be asked for are left away with a warning; errors as
 * aws_call() otherwise.
 */
int task_summaries(const struct deploy_target *t, const json_t *tasks, json_t **out,
		   struct error *err);
