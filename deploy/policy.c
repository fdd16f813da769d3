#include "deploy/policy.h"

#include <stdio.h>
#include <string.h>

#include "aws/iam_policy.h"
#include "base/alloc.h"
#include "base/path.h"
#include "deploy/load_balancer.h"
#include "deploy/role.h"

#define EXECUTION_POLICY "service-role/AmazonECSTaskExecutionRolePolicy"
#define EXPRESS_POLICY   "service-role/AmazonECSInfrastructureRoleforExpressGatewayServices"
#define MAX_TEMPLATES    5

/* When an action is needed: any of these. */
enum when {
	ALWAYS = 0,
	CREATE = 1,
	SECRETS = 2,
	POLICIES = 4, /* files of policies for the task role */
	LB = 8,
	EXPRESS = 16,
	SCALE = 32,
	OPERATE = 64,
	DESTROY = 128,
	ROLE = 256, /* a role of the app's own */
};

/* On what. Each is a statement. */
enum scope {
	EVERYTHING,
	REPOSITORY,
	CLUSTER,
	SERVICE,
	EVERY_SERVICE,
	TASK,
	DEFINITION,
	ROLLOUT,
	INSTANCE,
	LOG_GROUP,
	NAMED_ROLE,
	OWN_ROLE,
	ATTACH,
	PASS,
	LINKED_ROLE,
	SCALING_ROLE,
	BALANCER_ROLE,
	NEW_GROUP,
	NEW_GROUP_TAGS,
	OWN_GROUP,
	BALANCER,
	ALARM,
	SCOPES,
};

/*
 * {p} partition, {r} region, {a} account, {n} app, {c} cluster, {s} service, {R} repository, {g} log group, {b} load balancer, {E} {T}
 * {I} roles of execution, task and Express's infrastructure. A condition: operator, key, value.
 */
static const struct scope_row {
	const char *sid;
	const char *resources[MAX_TEMPLATES];
	const char *condition[3];
} SCOPE_ROWS[SCOPES] = {
	[EVERYTHING] = {"General", {"*"}, {NULL}},
	[REPOSITORY] = {"Repository", {"arn:{p}:ecr:{r}:{a}:repository/{R}"}, {NULL}},
	[CLUSTER] = {"Cluster", {"arn:{p}:ecs:{r}:{a}:cluster/{c}"}, {NULL}},
	[SERVICE] = {"Service", {"arn:{p}:ecs:{r}:{a}:service/{c}/{s}"}, {NULL}},
	[EVERY_SERVICE] = {"Services",
			   {"arn:{p}:ecs:{r}:{a}:service/*", "arn:{p}:ecs:{r}:{a}:task/*"},
			   {NULL}},
	[TASK] = {"Tasks", {"arn:{p}:ecs:{r}:{a}:task/{c}/*"}, {NULL}},
	[DEFINITION] = {"TaskDefinition", {"arn:{p}:ecs:{r}:{a}:task-definition/{n}:*"}, {NULL}},
	[ROLLOUT] = {"Deployments",
		     {"arn:{p}:ecs:{r}:{a}:service/{c}/{s}",
		      "arn:{p}:ecs:{r}:{a}:service-deployment/{c}/{s}/*",
		      "arn:{p}:ecs:{r}:{a}:service-revision/{c}/{s}/*"},
		     {NULL}},
	[INSTANCE] = {"Instances", {"arn:{p}:ecs:{r}:{a}:container-instance/{c}/*"}, {NULL}},
	[LOG_GROUP] = {"Logs",
		       {"arn:{p}:logs:{r}:{a}:log-group:{g}",
			"arn:{p}:logs:{r}:{a}:log-group:{g}:*"},
		       {NULL}},
	[NAMED_ROLE] = {"Roles",
			{"arn:{p}:iam::{a}:role/{E}", "arn:{p}:iam::{a}:role/{T}",
			 "arn:{p}:iam::{a}:role/ecsTaskExecutionRole",
			 "arn:{p}:iam::{a}:role/ecsInfrastructureRoleForExpressServices"},
			{NULL}},
	[OWN_ROLE] = {"OwnRoles",
		      {"arn:{p}:iam::{a}:role/{E}", "arn:{p}:iam::{a}:role/{T}",
		       "arn:{p}:iam::{a}:role/{I}"},
		      {NULL}},
	[ATTACH] = {"Attach",
		    {"arn:{p}:iam::{a}:role/{E}", "arn:{p}:iam::{a}:role/{T}",
		     "arn:{p}:iam::{a}:role/{I}"},
		    {"ArnLike", "iam:PolicyARN", ""}},
	[PASS] = {"Pass",
		  {"arn:{p}:iam::{a}:role/{E}", "arn:{p}:iam::{a}:role/{T}",
		   "arn:{p}:iam::{a}:role/ecsTaskExecutionRole", "arn:{p}:iam::{a}:role/{I}",
		   "arn:{p}:iam::{a}:role/ecsInfrastructureRoleForExpressServices"},
		  {"StringEquals", "iam:PassedToService", ""}},
	[LINKED_ROLE] = {"ServiceRole",
			 {"arn:{p}:iam::{a}:role/aws-service-role/ecs.amazonaws.com/*"},
			 {"StringEquals", "iam:AWSServiceName", "ecs.amazonaws.com"}},
	[SCALING_ROLE] =
		{"ScalingRole",
		 {"arn:{p}:iam::{a}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/*"},
		 {"StringEquals", "iam:AWSServiceName",
		  "ecs.application-autoscaling.amazonaws.com"}},
	[BALANCER_ROLE] =
		{"BalancerRole",
		 {"arn:{p}:iam::{a}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"},
		 {"StringEquals", "iam:AWSServiceName", "elasticloadbalancing.amazonaws.com"}},
	[NEW_GROUP] = {"MakeGroups",
		       {"arn:{p}:ec2:{r}:{a}:security-group/*", "arn:{p}:ec2:{r}:{a}:vpc/*"},
		       {NULL}},
	[NEW_GROUP_TAGS] = {"TagGroups",
			    {"arn:{p}:ec2:{r}:{a}:security-group/*"},
			    {"StringEquals", "ec2:CreateAction", "CreateSecurityGroup"}},
	[OWN_GROUP] = {"Groups",
		       {"arn:{p}:ec2:{r}:{a}:security-group/*"},
		       {"StringEquals", "aws:ResourceTag/" TAG_APP, "{n}"}},
	[BALANCER] = {"Balancer",
		      {"arn:{p}:elasticloadbalancing:{r}:{a}:loadbalancer/app/{b}/*",
		       "arn:{p}:elasticloadbalancing:{r}:{a}:targetgroup/{b}/*",
		       "arn:{p}:elasticloadbalancing:{r}:{a}:listener/app/{b}/*"},
		      {NULL}},
	[ALARM] = {"Alarms", {"arn:{p}:cloudwatch:{r}:{a}:alarm:TargetTracking-*"}, {NULL}},
};

/* What is called, in the order of a deploy, with the actions that a call asks for besides its own: tags, roles that are handed on. */
static const struct right {
	const char *action;
	enum scope scope;
	unsigned when;
} RIGHTS[] = {
	{"ecr:DescribeRepositories", REPOSITORY, ALWAYS},
	{"ecr:CreateRepository", REPOSITORY, CREATE},
	{"ecr:TagResource", REPOSITORY, CREATE},
	{"ecr:ListTagsForResource", REPOSITORY, DESTROY},
	{"ecr:DeleteRepository", REPOSITORY, DESTROY},
	{"ecs:DescribeClusters", CLUSTER, ALWAYS},
	{"ecs:CreateCluster", EVERYTHING, CREATE},
	{"ecs:TagResource", CLUSTER, CREATE},
	{"ecs:DeleteCluster", CLUSTER, DESTROY},
	{"ecs:ListClusters", EVERYTHING, OPERATE | DESTROY},
	{"iam:CreateServiceLinkedRole", LINKED_ROLE, CREATE},
	{"logs:DescribeLogGroups", EVERYTHING, ALWAYS},
	{"logs:CreateLogGroup", LOG_GROUP, CREATE},
	{"logs:TagResource", LOG_GROUP, CREATE},
	{"logs:PutRetentionPolicy", LOG_GROUP, CREATE},
	{"logs:GetLogEvents", LOG_GROUP, ALWAYS},
	{"logs:FilterLogEvents", LOG_GROUP, OPERATE},
	{"logs:ListTagsForResource", LOG_GROUP, DESTROY},
	{"logs:DeleteLogGroup", LOG_GROUP, DESTROY},
	{"iam:GetRole", NAMED_ROLE, ALWAYS},
	{"iam:ListAttachedRolePolicies", OWN_ROLE, ROLE | EXPRESS | DESTROY},
	{"iam:ListRolePolicies", OWN_ROLE, ROLE | EXPRESS | DESTROY},
	{"iam:GetRolePolicy", OWN_ROLE, SECRETS | POLICIES},
	{"iam:CreateRole", OWN_ROLE, ROLE | EXPRESS},
	{"iam:TagRole", OWN_ROLE, ROLE | EXPRESS},
	{"iam:AttachRolePolicy", ATTACH, ROLE | EXPRESS},
	{"iam:PutRolePolicy", OWN_ROLE, SECRETS | POLICIES},
	{"iam:DeleteRolePolicy", OWN_ROLE, SECRETS | POLICIES | DESTROY},
	{"iam:GetRole", OWN_ROLE, EXPRESS | DESTROY},
	{"iam:DetachRolePolicy", OWN_ROLE, DESTROY},
	{"iam:DeleteRole", OWN_ROLE, DESTROY},
	{"iam:PassRole", PASS, ALWAYS},
	{"ec2:DescribeVpcs", EVERYTHING, ALWAYS},
	{"ec2:DescribeSubnets", EVERYTHING, ALWAYS},
	{"ec2:DescribeRouteTables", EVERYTHING, ALWAYS},
	{"ec2:DescribeVpcEndpoints", EVERYTHING, ALWAYS},
	{"ec2:DescribeSecurityGroups", EVERYTHING, ALWAYS},
	{"ec2:DescribeNetworkInterfaces", EVERYTHING, ALWAYS},
	{"ec2:DescribeInstances", EVERYTHING, ALWAYS},
	{"ec2:CreateSecurityGroup", NEW_GROUP, CREATE},
	{"ec2:CreateTags", NEW_GROUP_TAGS, CREATE},
	{"ec2:AuthorizeSecurityGroupIngress", OWN_GROUP, CREATE | LB},
	{"ec2:RevokeSecurityGroupIngress", OWN_GROUP, DESTROY},
	{"ec2:DeleteSecurityGroup", OWN_GROUP, DESTROY},
	{"ecs:DescribeTaskDefinition", EVERYTHING, ALWAYS},
	{"ecs:ListTaskDefinitions", EVERYTHING, OPERATE | DESTROY},
	{"ecs:ListTaskDefinitionFamilies", EVERYTHING, OPERATE},
	{"ecs:RegisterTaskDefinition", EVERYTHING, ALWAYS},
	{"ecs:DeregisterTaskDefinition", EVERYTHING, DESTROY},
	{"ecs:TagResource", DEFINITION, ALWAYS},
	{"ecs:RunTask", DEFINITION, ALWAYS},
	{"ecs:TagResource", TASK, ALWAYS},
	{"ecs:DescribeTasks", TASK, ALWAYS},
	{"ecs:ListTasks", EVERYTHING, ALWAYS},
	{"ecs:StopTask", TASK, OPERATE | DESTROY},
	{"ecs:DescribeContainerInstances", INSTANCE, ALWAYS},
	{"ecs:DescribeServices", SERVICE, ALWAYS},
	{"ecs:CreateService", SERVICE, ALWAYS},
	{"ecs:UpdateService", SERVICE, ALWAYS},
	{"ecs:TagResource", SERVICE, ALWAYS},
	{"ecs:DeleteService", SERVICE, DESTROY},
	{"ecs:ListServices", EVERYTHING, OPERATE | DESTROY},
	{"ecs:DescribeServices", EVERY_SERVICE, DESTROY},
	{"ecs:DescribeTasks", EVERY_SERVICE, DESTROY},
	{"ecs:ListServiceDeployments", ROLLOUT, ALWAYS},
	{"ecs:DescribeServiceDeployments", ROLLOUT, ALWAYS},
	{"ecs:StopServiceDeployment", ROLLOUT, ALWAYS},
	{"ecs:DescribeServiceRevisions", ROLLOUT, OPERATE},
	{"application-autoscaling:DescribeScalableTargets", EVERYTHING, ALWAYS},
	{"application-autoscaling:DescribeScalingPolicies", EVERYTHING, OPERATE},
	{"application-autoscaling:ListTagsForResource", EVERYTHING, SCALE | OPERATE | DESTROY},
	{"application-autoscaling:RegisterScalableTarget", EVERYTHING, SCALE | OPERATE},
	{"application-autoscaling:TagResource", EVERYTHING, SCALE | OPERATE},
	{"application-autoscaling:PutScalingPolicy", EVERYTHING, SCALE | OPERATE},
	{"application-autoscaling:DeregisterScalableTarget", EVERYTHING, DESTROY},
	{"iam:CreateServiceLinkedRole", SCALING_ROLE, SCALE},
	{"cloudwatch:DescribeAlarms", EVERYTHING, SCALE},
	{"cloudwatch:PutMetricAlarm", ALARM, SCALE},
	{"cloudwatch:DeleteAlarms", ALARM, SCALE | DESTROY},
	{"elasticloadbalancing:DescribeLoadBalancers", EVERYTHING, LB | DESTROY},
	{"elasticloadbalancing:DescribeTargetGroups", EVERYTHING, LB | DESTROY},
	{"elasticloadbalancing:DescribeListeners", EVERYTHING, LB},
	{"elasticloadbalancing:DescribeTags", EVERYTHING, LB | DESTROY},
	{"elasticloadbalancing:CreateLoadBalancer", BALANCER, LB},
	{"elasticloadbalancing:CreateTargetGroup", BALANCER, LB},
	{"elasticloadbalancing:ModifyTargetGroup", BALANCER, LB},
	{"elasticloadbalancing:ModifyTargetGroupAttributes", BALANCER, LB},
	{"elasticloadbalancing:CreateListener", BALANCER, LB},
	{"elasticloadbalancing:ModifyListener", BALANCER, LB},
	{"elasticloadbalancing:AddTags", BALANCER, LB},
	{"elasticloadbalancing:DeleteLoadBalancer", BALANCER, DESTROY},
	{"elasticloadbalancing:DeleteTargetGroup", BALANCER, DESTROY},
	{"iam:CreateServiceLinkedRole", BALANCER_ROLE, LB},
	{"ecs:DescribeExpressGatewayService", SERVICE, EXPRESS | DESTROY},
	{"ecs:CreateExpressGatewayService", SERVICE, EXPRESS},
	{"ecs:UpdateExpressGatewayService", SERVICE, EXPRESS},
	{"ecs:DeleteExpressGatewayService", SERVICE, DESTROY},
};

struct writer {
	const struct deploy_target *t;
	const struct deploy_policy *p;
	unsigned when;
	char *execution, *task, *infrastructure, *balancer, *log_group; /* "": none */
};

static const char *value_of(const struct writer *w, char letter)
{
	const struct deploy_policy *p = w->p;

	switch (letter) {
	case 'p':
		return w->t->partition;
	case 'r':
		return w->t->region;
	case 'a':
		return w->t->account;
	case 'n':
		return w->t->app;
	case 'c':
		return path_base(w->t->cluster);
	case 's':
		return p->service ? p->service : w->t->app;
	case 'R':
		return p->repository ? p->repository : w->t->app;
	case 'g':
		return w->log_group;
	case 'b':
		return w->balancer;
	case 'E':
		return w->execution;
	case 'T':
		return w->task;
	default:
		return w->infrastructure;
	}
}

/* NULL: it names a role that there is none of. */
static char *expand(const struct writer *w, const char *template)
{
	AUTO(strbuf) out = STRBUF_INIT;

	for (const char *c = template; *c; c++) {
		const char *value;

		if (*c != '{') {
			strbuf_putc(&out, *c);
			continue;
		}
		value = value_of(w, c[1]);
		if (!*value)
			return NULL;
		strbuf_puts(&out, value);
		c += 2;
	}
	return strbuf_detach(&out, NULL);
}

/* Roles that the user names are looked at and handed on, and never changed. */
static bool is_left_out(const struct writer *w, enum scope scope, const char *template)
{
	bool changes = scope == OWN_ROLE || scope == ATTACH;

	if (strstr(template, "/ecsTaskExecutionRole"))
		return w->p->execution_role != NULL;
	if (strstr(template, "/ecsInfrastructureRole"))
		return !(w->when & EXPRESS);
	return (changes && strstr(template, "{E}") && w->p->execution_role) ||
	       (changes && strstr(template, "{T}") && w->p->task_role);
}

static json_t *resources_of(const struct writer *w, enum scope scope)
{
	const struct scope_row *row = &SCOPE_ROWS[scope];
	json_t *list = json_array();

	for (size_t i = 0; i < MAX_TEMPLATES && row->resources[i]; i++) {
		AUTO_FREE char *arn = NULL;

		if (is_left_out(w, scope, row->resources[i]))
			continue;
		arn = expand(w, row->resources[i]);
		if (arn)
			json_array_append_new(list, json_text(arn));
	}
	return list;
}

/* What may be attached to the app's roles: else whoever may make a role could give it every right there is. */
static json_t *attachable(const struct writer *w)
{
	json_t *list = json_array();
	const struct strlist *more = w->p->task_policies;
	AUTO_FREE char *execution = xstrfmt("arn:%s:iam::aws:policy/" EXECUTION_POLICY,
					    w->t->partition);
	AUTO_FREE char *express = xstrfmt("arn:%s:iam::aws:policy/" EXPRESS_POLICY,
					  w->t->partition);

	if (!w->p->execution_role)
		json_array_append_new(list, json_text(execution));
	if (w->when & EXPRESS)
		json_array_append_new(list, json_text(express));
	for (size_t i = 0; more && i < more->n; i++)
		if (str_starts(more->items[i], "arn:"))
			json_array_append_new(list, json_text(more->items[i]));
	return list;
}

static json_t *condition_of(const struct writer *w, enum scope scope)
{
	const struct scope_row *row = &SCOPE_ROWS[scope];
	json_t *value;

	if (scope == ATTACH) {
		value = attachable(w);
	} else if (scope == PASS) {
		value = json_pack("[s]", "ecs-tasks.amazonaws.com");
		if (w->when & EXPRESS)
			json_array_append_new(value, json_string("ecs.amazonaws.com"));
	} else {
		AUTO_FREE char *text = expand(w, row->condition[2]);

		value = json_text(text);
	}
	return json_pack("{s:{s:o}}", row->condition[0], row->condition[1], value);
}

static void add_statement(const struct writer *w, enum scope scope, json_t *statements)
{
	const struct scope_row *row = &SCOPE_ROWS[scope];
	AUTO_JSON *actions = json_array();
	AUTO_JSON *resources = resources_of(w, scope);
	AUTO_JSON *attached = scope == ATTACH ? attachable(w) : NULL;
	json_t *statement;

	for (size_t i = 0; i < ARRAY_SIZE(RIGHTS); i++)
		if (RIGHTS[i].scope == scope && (!RIGHTS[i].when || RIGHTS[i].when & w->when))
			json_array_append_new(actions, json_string(RIGHTS[i].action));
	if (!json_array_size(actions) || !json_array_size(resources) ||
	    (attached && !json_array_size(attached)))
		return;
	statement = json_pack("{s:s, s:s, s:O, s:O}", "Sid", row->sid, "Effect", "Allow", "Action",
			      actions, "Resource", resources);
	if (row->condition[0])
		json_object_set_new(statement, "Condition", condition_of(w, scope));
	json_array_append_new(statements, statement);
}

static unsigned when_of(const struct deploy_policy *p)
{
	bool policies = p->task_policies && p->task_policies->n;
	unsigned when = 0;

	when |= p->no_create ? 0 : CREATE;
	when |= p->secrets && !p->execution_role ? SECRETS : 0;
	when |= !p->no_create && (!p->execution_role || policies) ? ROLE : 0;
	when |= p->lb ? LB : 0;
	when |= p->express ? EXPRESS : 0;
	when |= p->scale ? SCALE : 0;
	when |= p->operate ? OPERATE : 0;
	when |= p->destroy ? DESTROY : 0;
	for (size_t i = 0; policies && i < p->task_policies->n; i++)
		if (!str_starts(p->task_policies->items[i], "arn:"))
			when |= POLICIES;
	return when;
}

/* Login and upload are those of every push. */
static void add_push(const struct writer *w, json_t *statements)
{
	AUTO(iam_policy_push) push = {.create = false};
	AUTO_JSON *document = NULL;
	struct ecr_host host = {.account = ""};

	snprintf(host.account, sizeof(host.account), "%s", w->t->account);
	snprintf(host.region, sizeof(host.region), "%s", w->t->region);
	iam_policy_push_add(&push, &host, value_of(w, 'R'));
	document = iam_policy_push_write(&push);
	json_array_extend(statements, json_object_get(document, "Statement"));
}

static char *role_or_own(const struct writer *w, const char *given, const char *suffix, bool wanted)
{
	if (given)
		return xstrdup(str_starts(given, "arn:") ? path_base(given) : given);
	return wanted ? role_name(w->t, suffix) : xstrdup("");
}

json_t *deploy_policy_write(const struct deploy_target *t, const struct deploy_policy *p)
{
	struct writer w = {.t = t, .p = p, .when = when_of(p)};
	json_t *statements = json_array();
	bool task = (p->task_policies && p->task_policies->n) || p->destroy;

	w.execution = role_or_own(&w, p->execution_role, "execution", true);
	w.task = role_or_own(&w, p->task_role, "task", task);
	w.infrastructure = role_or_own(&w, NULL, "infrastructure", p->express || p->destroy);
	w.balancer = load_balancer_name(t);
	w.log_group = p->log_group ? xstrdup(p->log_group) : xstrfmt("/ecs/%s", t->app);
	add_push(&w, statements);
	for (int scope = 0; scope < SCOPES; scope++)
		add_statement(&w, (enum scope)scope, statements);
	free(w.execution);
	free(w.task);
	free(w.infrastructure);
	free(w.balancer);
	free(w.log_group);
	return json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
}
