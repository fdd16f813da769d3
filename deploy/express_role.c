#include "deploy/express_role.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "deploy/role.h"

#define SHARED "ecsInfrastructureRoleForExpressServices"
#define POLICY "service-role/AmazonECSInfrastructureRoleforExpressGatewayServices"
#define SUFFIX "infrastructure"

static int create(const struct deploy_target *t, const char *name, struct error *err)
{
	AUTO_JSON *trust = json_pack("{s:s, s:[{s:s, s:{s:s}, s:s}]}", "Version", "2012-10-17",
				     "Statement", "Effect", "Allow", "Principal", "Service",
				     "ecs.amazonaws.com", "Action", "sts:AssumeRole");
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(aws_reply) reply = {0};
	AUTO_JSON *params = NULL;

	json_write(trust, &text);
	params = json_pack("{s:s, s:s, s:s, s:o}", "RoleName", name, "AssumeRolePolicyDocument",
			   text.buf, "Description", "Infrastructure of ECS Express services",
			   "Tags", deploy_target_tags(t, "Key", "Value"));
	const struct aws_question q = {
		.service = AWS_IAM,
		.operation = "CreateRole",
		.params = params,
		.fine = {"EntityAlreadyExists"},
	};

	if (aws_ask(t->aws, &q, &reply, err) < 0)
		return error_wrap(err, "make the role %s", name);
	return 0;
}

int express_role_make(const struct deploy_target *t, char **arn, struct error *err)
{
	AUTO_FREE char *name = role_name(t, SUFFIX);
	AUTO_FREE char *policy = xstrfmt("arn:%s:iam::aws:policy/%s", t->partition, POLICY);
	AUTO(role) shared = {0}, own = {0};

	if (role_find(t, SHARED, &shared, err) < 0)
		return -1;
	if (shared.found) {
		*arn = xstrdup(shared.arn);
		return 0;
	}
	if (role_find(t, name, &own, err) < 0)
		return -1;
	if (own.found && !own.owned)
		return error_set(err, ERROR_UNSUPPORTED,
				 "there is a role %s that slipway did not make for %s", name,
				 t->app);
	if ((!own.found && create(t, name, err) < 0) || role_attach(t, name, policy, err) < 0 ||
	    role_find(t, name, &own, err) < 0)
		return -1;
	if (!own.arn)
		return error_set(err, ERROR_REMOTE, "the role %s was made and is not there", name);
	*arn = xstrdup(own.arn);
	return 0;
}

int express_role_destroy(const struct deploy_target *t, char **removed, struct error *err)
{
	AUTO_FREE char *name = role_name(t, SUFFIX);
	AUTO(role) own = {0};

	*removed = NULL;
	if (role_find(t, name, &own, err) < 0)
		return -1;
	if (!own.found || !own.owned)
		return 0;
	if (role_delete(t, name, err) < 0)
		return -1;
	*removed = take_ptr(name);
	return 0;
}
