#include "deploy/address.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "deploy/ecs.h"

void task_address_release(struct task_address *a)
{
	if (!a)
		return;
	free(a->public_ip);
	free(a->private_ip);
	strlist_release(&a->ports);
	*a = (struct task_address){0};
}

/* details of the task's ElasticNetworkInterface: [{"name": .., "value": ..}] */
const char *task_interface_detail(const json_t *task, const char *name)
{
	json_t *attachment, *detail;
	size_t i, k;

	json_array_foreach (json_object_get(task, "attachments"), i, attachment) {
		if (strcmp(aws_text(attachment, "type"), "ElasticNetworkInterface") != 0)
			continue;
		json_array_foreach (json_object_get(attachment, "details"), k, detail)
			if (strcmp(aws_text(detail, "name"), name) == 0)
				return aws_text(detail, "value");
	}
	return "";
}

static char *copy_set(const char *text)
{
	return *text ? xstrdup(text) : NULL;
}

/* EC2 questions about addresses: a refusal costs an address, not the deploy. */
static int ask_ec2(const struct deploy_target *t, const char *operation, json_t *params,
		   struct aws_reply *reply, struct error *err)
{
	AUTO(error) local = ERROR_INIT;

	if (aws_ask(t->aws,
		    &(struct aws_question){.service = AWS_EC2,
					   .operation = operation,
					   .params = params,
					   .waiting = true},
		    reply, &local) == 0)
		return 0;
	if (local.kind == ERROR_CANCELLED)
		return error_move(err, &local);
	report_log(t->reporter, LOG_WARNING, "the task's address is not known: %s", local.message);
	return 0;
}

static int find_interface(struct task_address *out, const struct deploy_target *t, const char *id,
			  struct error *err)
{
	AUTO_JSON *params = json_pack("{s:[s]}", "NetworkInterfaceId", id);
	AUTO(aws_reply) reply = {0};
	json_t *found;

	if (ask_ec2(t, "DescribeNetworkInterfaces", params, &reply, err) < 0)
		return -1;
	found = json_array_get(json_object_get(reply.json, "networkInterfaceSet"), 0);
	out->public_ip = copy_set(aws_text(json_object_get(found, "association"), "publicIp"));
	if (!out->private_ip)
		out->private_ip = copy_set(aws_text(found, "privateIpAddress"));
	return 0;
}

static int find_instance(struct task_address *out, const struct deploy_target *t,
			 const char *container_instance, struct error *err)
{
	AUTO_JSON *params = json_pack("{s:s, s:[s]}", "cluster", t->cluster, "containerInstances",
				      container_instance);
	AUTO(aws_reply) reply = {0}, instances = {0};
	AUTO_JSON *ids = NULL;
	json_t *found;

	if (ecs_look(t, "DescribeContainerInstances", params, &reply, err) < 0)
		return -1;
	found = json_array_get(json_object_get(reply.json, "containerInstances"), 0);
	if (!*aws_text(found, "ec2InstanceId"))
		return 0;
	ids = json_pack("{s:[s]}", "InstanceId", aws_text(found, "ec2InstanceId"));
	if (ask_ec2(t, "DescribeInstances", ids, &instances, err) < 0)
		return -1;
	found = json_array_get(json_object_get(instances.json, "reservationSet"), 0);
	found = json_array_get(json_object_get(found, "instancesSet"), 0);
	out->public_ip = copy_set(aws_text(found, "ipAddress"));
	out->private_ip = copy_set(aws_text(found, "privateIpAddress"));
	return 0;
}

static void add_port(struct task_address *out, int64_t port)
{
	AUTO_FREE char *text = xstrfmt("%lld", (long long)port);

	if (port > 0 && !strlist_has(&out->ports, text))
		strlist_add(&out->ports, text);
}

static bool is_tcp(const json_t *mapping)
{
	return strcmp(aws_text(mapping, "protocol"), "udp") != 0;
}

/* Of instances: the host's ports, which ECS may have chosen. Of tasks with an address of their own: the containers'. */
static void find_ports(struct task_address *out, const json_t *task, const json_t *definition)
{
	json_t *c, *mapping;
	size_t i, k;

	json_array_foreach (json_object_get(task, "containers"), i, c)
		json_array_foreach (json_object_get(c, "networkBindings"), k, mapping)
			if (is_tcp(mapping))
				add_port(out, aws_int(mapping, "hostPort"));
	if (out->ports.n)
		return;
	json_array_foreach (json_object_get(definition, "containerDefinitions"), i, c)
		json_array_foreach (json_object_get(c, "portMappings"), k, mapping)
			if (is_tcp(mapping))
				add_port(out, aws_int(mapping, "containerPort"));
}

bool task_address_local(struct task_address *out, const json_t *described)
{
	const json_t *local = json_object_get(described, "slipway");
	const json_t *port;
	size_t i;

	if (!*aws_text(local, "address"))
		return false;
	task_address_release(out);
	out->public_ip = xstrdup(aws_text(local, "address"));
	json_array_foreach (json_object_get(local, "ports"), i, port)
		add_port(out, aws_int(port, "hostPort"));
	return true;
}

int task_address_find(struct task_address *out, const struct deploy_target *t, const json_t *task,
		      const json_t *definition, struct error *err)
{
	const char *id = task_interface_detail(task, "networkInterfaceId");
	const char *instance = aws_text(task, "containerInstanceArn");

	if (task_address_local(out, task))
		return 0;
	task_address_release(out);
	find_ports(out, task, definition);
	out->private_ip = copy_set(task_interface_detail(task, "privateIPv4Address"));
	if (*id)
		return find_interface(out, t, id, err);
	return *instance ? find_instance(out, t, instance, err) : 0;
}
