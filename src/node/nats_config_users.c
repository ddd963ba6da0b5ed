/*
 * nats_config_users.c - authorization of nats-server: who may connect, and what they may do.
 *
 *      authorization { user: u, password: p }          one user
 *      authorization { token: t }                      one token
 *      authorization { users: [ {user, password, permissions}, {nkey, permissions} ],
 *                      default_permissions: {...} }    for users without permissions
 *
 *      permissions { publish: "a.>"                    one subject, an array, or {allow, deny}
 *                    subscribe: ["b", "c"]
 *                    allow_responses: true }           or {max, expires}
 */
#include "node/nats_config_parts.h"

#include <errno.h>

/* --- permissions -------------------------------------------------------------------------- */

static int put_in_user(struct user *user, const char *key, struct conf_place place,
                       struct conf_node *value) {
    size_t at = 0;
    if (!value)
        return -ENOMEM;
    while (at < user->count && !slice_equal(user->entries[at].key, slice_str(key)))
        at++;
    check(at < USER_KEYS_MAX);
    user->entries[at] = (struct conf_entry){slice_str(key), place, value};
    user->count += at == user->count;
    return 0;
}

/* publish or subscribe: subjects alone are those that are allowed. */
static int take_rights(struct translation *t, const struct nats_conf_entry *entry,
                       const char *into) {
    struct conf_entry *lists = arena_zalloc(t->arena, 2, sizeof *lists);
    size_t count = 0;
    bool given[2] = {false, false};
    if (!lists)
        return -ENOMEM;
    bool alone = entry->value->type != NATS_CONF_MAP;
    const struct nats_conf_entry *from = alone ? entry : entry->value->entries;
    for (uint32_t i = 0; i < (alone ? 1 : entry->value->count); i++) {
        bool deny = !alone && slice_equal_nocase(from[i].key, slice_lit("deny"));
        if (!alone && !deny && !slice_equal_nocase(from[i].key, slice_lit("allow"))) {
            conf_errors_note(t->errors, from[i].place, "there are allow and deny",
                             "unknown field '%.*s' in permissions",
                             slice_fmt(slice_take(from[i].key, 64)));
            continue;
        }
        if (given[deny]) { /* which of "deny" and "Deny" counts would be a guess about rights */
            conf_errors_note(t->errors, from[i].place, "say it once",
                             "'%.*s' is given twice in permissions",
                             slice_fmt(slice_take(from[i].key, 64)));
            continue;
        }
        given[deny] = true;
        struct conf_node *list = nats_texts(t, &from[i]);
        if (!list)
            return -ENOMEM;
        if (list->count) /* an empty list is none */
            lists[count++] = (struct conf_entry){deny ? slice_lit("deny") : slice_lit("allow"),
                                                 from[i].place, list};
    }
    return put_in_user(t->user, into, entry->place, nats_map(t, entry->place, lists, count));
}

static int take_publish(struct translation *t, const struct nats_conf_entry *entry) {
    return take_rights(t, entry, "publish");
}

static int take_subscribe(struct translation *t, const struct nats_conf_entry *entry) {
    return take_rights(t, entry, "subscribe");
}

/* A response's bounds: {max, expires}. */
struct bounds {
    struct conf_entry entries[2];
    size_t count;
    bool given[2]; /* expires, max */
};

static int add_bound(struct translation *t, const struct nats_conf_entry *entry,
                     struct bounds *bounds) {
    bool max = slice_equal_nocase(entry->key, slice_lit("max")) ||
               slice_equal_nocase(entry->key, slice_lit("max_msgs")) ||
               slice_equal_nocase(entry->key, slice_lit("max_messages")) ||
               slice_equal_nocase(entry->key, slice_lit("max_responses"));
    bool expires = slice_equal_nocase(entry->key, slice_lit("expires")) ||
                   slice_equal_nocase(entry->key, slice_lit("expiration")) ||
                   slice_equal_nocase(entry->key, slice_lit("ttl"));
    int64_t number = 0;
    slice text;
    int failed = 0;
    if (!max && !expires) {
        conf_errors_note(t->errors, entry->place, "there are max and expires",
                         "unknown field '%.*s' in allow_responses",
                         slice_fmt(slice_take(entry->key, 64)));
        return 0;
    }
    if (expires && !nats_time(t, entry, &text, &failed))
        return failed;
    if (max && !nats_number(t, entry, &number))
        return 0;
    if (max && number < 0)
        text = slice_lit("unlimited");
    else if (max && arena_printf(t->arena, &text, "%lld", (long long)number))
        return -ENOMEM;
    bool is_default = max ? number == 0 : slice_equal(text, slice_lit("0s"));
    struct conf_node *value = nats_scalar(t, entry->value->place, text);
    if (bounds->given[max]) {
        conf_errors_note(t->errors, entry->place, "say it once",
                         "'%.*s' is given twice in allow_responses",
                         slice_fmt(slice_take(entry->key, 64)));
        return 0;
    }
    bounds->given[max] = true;
    if (value && !is_default)
        bounds->entries[bounds->count++] =
            (struct conf_entry){max ? slice_lit("max") : slice_lit("expires"), entry->place, value};
    return value ? 0 : -ENOMEM;
}

static int take_responses(struct translation *t, const struct nats_conf_entry *entry) {
    struct bounds *bounds = arena_zalloc(t->arena, 1, sizeof *bounds);
    bool allowed = true;
    if (!bounds)
        return -ENOMEM;
    if (entry->value->type != NATS_CONF_MAP && (!nats_bool(t, entry, &allowed) || !allowed))
        return 0;
    for (uint32_t i = 0; i < entry->value->count; i++) {
        int failed = add_bound(t, &entry->value->entries[i], bounds);
        if (failed)
            return failed;
    }
    return put_in_user(t->user, "allow_responses", entry->place,
                       nats_map(t, entry->place, bounds->entries, bounds->count));
}

static const struct nats_key permission_keys[] = {
    {.names = "publish pub import", .form = FORM_TAKEN, .take = take_publish},
    {.names = "subscribe sub export", .form = FORM_TAKEN, .take = take_subscribe},
    {.names = "allow_responses publish_allow_responses allow_response publish_allow_response",
     .form = FORM_TAKEN,
     .take = take_responses},
};
static const struct nats_table permission_table = {"permissions", permission_keys,
                                                   array_count(permission_keys)};

static int take_permissions(struct translation *t, const struct nats_conf_entry *entry) {
    t->user->has_rights = true;
    return nats_walk_block(t, &permission_table, entry);
}

static int take_defaults(struct translation *t, const struct nats_conf_entry *entry) {
    struct user *user = t->user;
    t->user = &t->defaults;
    int failed = take_permissions(t, entry);
    t->user = user;
    return failed;
}

/* --- users -------------------------------------------------------------------------------- */

static int take_secret(struct translation *t, const struct nats_conf_entry *entry,
                       const char *into) {
    slice text;
    if (!nats_text(t, entry, &text))
        return 0;
    return put_in_user(t->user, into, entry->place, nats_scalar(t, entry->value->place, text));
}

static int take_name(struct translation *t, const struct nats_conf_entry *entry) {
    return take_secret(t, entry, "user");
}

static int take_password(struct translation *t, const struct nats_conf_entry *entry) {
    return take_secret(t, entry, "password");
}

static int take_nkey(struct translation *t, const struct nats_conf_entry *entry) {
    return take_secret(t, entry, "nkey");
}

#define NO_TYPES "take it out: every way in is open to every user"

static const struct nats_key user_keys[] = {
    {.names = "user username", .form = FORM_TAKEN, .take = take_name},
    {.names = "password pass", .form = FORM_TAKEN, .take = take_password},
    {.names = "nkey", .form = FORM_TAKEN, .take = take_nkey},
    {.names = "permissions permission authorization", .form = FORM_TAKEN, .take = take_permissions},
    {.names = "allowed_connection_types connection_types clients",
     .form = FORM_REFUSED,
     .hint = NO_TYPES},
};
static const struct nats_table user_table = {"user", user_keys, array_count(user_keys)};

static int take_user(struct translation *t, const struct nats_conf_entry *entry) {
    struct user *user = arena_zalloc(t->arena, 1, sizeof *user);
    if (!user)
        return -ENOMEM;
    if (entry->value->type != NATS_CONF_MAP) {
        conf_errors_note(t->errors, entry->place, "write {user: ann, password: secret}",
                         "a user must be a block");
        return 0;
    }
    user->place = entry->value->place;
    *t->last_user = user;
    t->last_user = &user->next;
    t->user = user;
    return nats_walk(t, &user_table, entry->value);
}

static int take_users(struct translation *t, const struct nats_conf_entry *entry) {
    if (entry->value->type != NATS_CONF_ARRAY) {
        conf_errors_note(t->errors, entry->place, "write users: [ {user: ann, password: secret} ]",
                         "users must be an array");
        return 0;
    }
    for (uint32_t i = 0; i < entry->value->count; i++) {
        int failed = take_user(t, &entry->value->entries[i]);
        if (failed)
            return failed;
    }
    return 0;
}

/* --- authorization ------------------------------------------------------------------------ */

/* The user that stands in authorization itself; one way to log in takes the place of the other. */
static int take_own(struct translation *t, const struct nats_conf_entry *entry, const char *into) {
    t->user = &t->alone;
    t->alone.place = entry->place;
    t->has_alone = true;
    return take_secret(t, entry, into);
}

static int take_own_name(struct translation *t, const struct nats_conf_entry *entry) {
    return take_own(t, entry, "user");
}

static int take_own_password(struct translation *t, const struct nats_conf_entry *entry) {
    return take_own(t, entry, "password");
}

static int take_own_token(struct translation *t, const struct nats_conf_entry *entry) {
    return take_own(t, entry, "token");
}

static const struct nats_key authorization_keys[] = {
    {.names = "user username", .form = FORM_TAKEN, .take = take_own_name},
    {.names = "password pass", .form = FORM_TAKEN, .take = take_own_password},
    {.names = "token", .form = FORM_TAKEN, .take = take_own_token},
    {.names = "users", .form = FORM_TAKEN, .take = take_users},
    {.names = "timeout", .form = FORM_TIME, .section = SECTION_LIMITS, .into = "auth_timeout"},
    {.names = "default_permissions default_permission permissions",
     .form = FORM_TAKEN,
     .take = take_defaults},
    {.names = "auth_callout",
     .form = FORM_REFUSED,
     .hint = "name the users in authorization.users"},
};
static const struct nats_table authorization_table = {"authorization", authorization_keys,
                                                      array_count(authorization_keys)};

int nats_take_authorization(struct translation *t, const struct nats_conf_entry *entry) {
    return nats_walk_block(t, &authorization_table, entry);
}

int nats_take_stranger(struct translation *t, const struct nats_conf_entry *entry) {
    t->stranger_place = entry->place;
    (void)nats_text(t, entry, &t->stranger);
    return 0;
}

static void add_defaults(const struct translation *t, struct user *user) {
    for (size_t i = 0; i < t->defaults.count && !user->has_rights; i++) {
        check(user->count < USER_KEYS_MAX);
        user->entries[user->count++] = t->defaults.entries[i];
    }
}

int nats_finish_users(struct translation *t, struct conf_node **ret_users) {
    if (t->has_alone && t->users)
        conf_errors_note(t->errors, t->alone.place, "put them into users, too",
                         "authorization has a user or token of its own beside users");
    if (t->has_alone) {
        *t->last_user = &t->alone;
        t->last_user = &t->alone.next;
    }
    size_t count = 0;
    for (const struct user *user = t->users; user; user = user->next)
        count++;
    struct conf_entry *entries = arena_zalloc(t->arena, count, sizeof *entries);
    struct conf_node *list = arena_zalloc(t->arena, 1, sizeof *list);
    if (!entries || !list)
        return -ENOMEM;
    *list = (struct conf_node){.type = CONF_NODE_LIST, .entries = entries, .count = count};
    for (struct user *user = t->users; user; user = user->next) {
        add_defaults(t, user);
        struct conf_node *map = nats_map(t, user->place, user->entries, user->count);
        if (!map)
            return -ENOMEM;
        *entries++ = (struct conf_entry){.place = user->place, .value = map};
    }
    if (count) {
        list->place = list->entries[0].place;
        *ret_users = list;
    }
    return 0;
}
