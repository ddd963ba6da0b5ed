/*
 * system_pg_server.c - the server as a whole: its one database, schemas, roles, settings, sessions,
 * time zones.
 *
 * There is one role to see, the session's own user, and it may do everything: what a user may do
 * is said in the configuration, not by GRANT.
 */
#include "rooms/stream/system_pg.h"

#include <errno.h>

static slice user_of(const struct system_rows *r) {
    return r->run->session->settings.user;
}

int system_pg_namespace(struct system_rows *r) {
    slice name;
    unsigned cursor = 0;
    int failed = 0;
    while (!failed && (name = sql_catalog_each_schema(r->catalog, &cursor)).ptr) {
        system_begin(r);
        system_set_int(r, "oid", sql_schema_oid(name));
        system_set_text(r, "nspname", name);
        system_set_int(r, "nspowner", SQL_OWNER_OID);
        failed = system_end(r);
    }
    return failed;
}

int system_pg_database(struct system_rows *r) {
    system_begin(r);
    system_set_int(r, "oid", SQL_DATABASE_OID);
    system_set_text(r, "datname", r->run->session->settings.database);
    system_set_int(r, "datdba", SQL_OWNER_OID);
    system_set_int(r, "encoding", 6); /* UTF8 */
    system_set_string(r, "datlocprovider", "c");
    system_set_int(r, "datallowconn", 1);
    system_set_int(r, "datconnlimit", -1);
    system_set_int(r, "dattablespace", SQL_TABLESPACE_OID);
    system_set_string(r, "datcollate", "C");
    system_set_string(r, "datctype", "C.UTF-8");
    return system_end(r);
}

static void set_role(struct system_rows *r) {
    static const char *const may[] = {"rolsuper",    "rolinherit",  "rolcreaterole",
                                      "rolcreatedb", "rolcanlogin", "rolreplication",
                                      "rolbypassrls"};
    system_begin(r);
    system_set_int(r, "oid", SQL_OWNER_OID);
    system_set_text(r, "rolname", user_of(r));
    for (unsigned i = 0; i < array_count(may); i++)
        system_set_int(r, may[i], 1);
    system_set_int(r, "rolconnlimit", -1);
}

int system_pg_authid(struct system_rows *r) {
    set_role(r);
    return system_end(r);
}

int system_pg_roles(struct system_rows *r) {
    set_role(r);
    system_set_string(r, "rolpassword", "********");
    return system_end(r);
}

int system_pg_shadow(struct system_rows *r) {
    static const char *const may[] = {"usecreatedb", "usesuper", "userepl", "usebypassrls"};
    system_begin(r);
    system_set_text(r, "usename", user_of(r));
    system_set_int(r, "usesysid", SQL_OWNER_OID);
    for (unsigned i = 0; i < array_count(may); i++)
        system_set_int(r, may[i], 1);
    system_set_string(r, "passwd", "********");
    return system_end(r);
}

static int access_method(struct system_rows *r, uint32_t oid, const char *name, const char *type) {
    system_int(r, oid);
    system_text(r, slice_str(name));
    system_int(r, 0);
    system_text(r, slice_str(type));
    return system_end(r);
}

int system_pg_am(struct system_rows *r) {
    int failed = access_method(r, SQL_HEAP_OID, "heap", "t");
    return failed ? failed : access_method(r, SQL_BTREE_OID, "btree", "i");
}

static int collation(struct system_rows *r, uint32_t oid, const char *name, const char *provider,
                     const char *locale) {
    system_begin(r);
    system_set_int(r, "oid", oid);
    system_set_string(r, "collname", name);
    system_set_int(r, "collnamespace", 11);
    system_set_int(r, "collowner", SQL_OWNER_OID);
    system_set_string(r, "collprovider", provider);
    system_set_int(r, "collisdeterministic", 1);
    system_set_int(r, "collencoding", -1);
    if (locale) {
        system_set_string(r, "collcollate", locale);
        system_set_string(r, "collctype", locale);
    }
    return system_end(r);
}

int system_pg_collation(struct system_rows *r) {
    int failed = collation(r, SQL_COLLATION_DEFAULT_OID, "default", "d", NULL);
    return failed ? failed : collation(r, SQL_COLLATION_C_OID, "C", "c", "C");
}

int system_pg_language(struct system_rows *r) {
    static const struct {
        uint32_t oid;
        const char *name;
    } languages[] = {{12, "internal"}, {14, "sql"}};
    int failed = 0;
    for (unsigned i = 0; !failed && i < array_count(languages); i++) {
        system_begin(r);
        system_set_int(r, "oid", languages[i].oid);
        system_set_string(r, "lanname", languages[i].name);
        system_set_int(r, "lanowner", SQL_OWNER_OID);
        system_set_int(r, "lanpltrusted", languages[i].oid == 14);
        failed = system_end(r);
    }
    return failed;
}

int system_pg_tablespace(struct system_rows *r) {
    system_begin(r);
    system_set_int(r, "oid", SQL_TABLESPACE_OID);
    system_set_string(r, "spcname", "pg_default");
    system_set_int(r, "spcowner", SQL_OWNER_OID);
    return system_end(r);
}

int system_pg_settings(struct system_rows *r) {
    struct setting_about about;
    int failed = 0;
    for (unsigned i = 0; !failed && settings_about(i, &about); i++) {
        slice value = settings_get(r->run->session, about.name);
        system_begin(r);
        system_set_text(r, "name", about.name);
        system_set_text(r, "setting", value);
        if (about.milliseconds)
            system_set_string(r, "unit", "ms");
        system_set_string(r, "category",
                          about.fixed ? "Preset Options" : "Client Connection Defaults");
        system_set_string(r, "short_desc", "");
        system_set_string(r, "context", about.fixed ? "internal" : "user");
        system_set_string(r, "vartype", about.number ? "integer" : "string");
        system_set_string(r, "source", slice_equal(value, about.initial) ? "default" : "session");
        system_set_text(r, "boot_val", about.initial);
        system_set_text(r, "reset_val", about.initial);
        system_set_int(r, "pending_restart", 0);
        failed = system_end(r);
    }
    return failed;
}

/* The sessions of this shard; what each is at is not told. */
int system_pg_stat_activity(struct system_rows *r) {
    int failed = 0;
    int pid = 0;
    for (struct list_node *n = list_first(&r->db->sessions); !failed && n;
         n = list_next(&r->db->sessions, n)) {
        const struct database_session *s = container_of(n, struct database_session, node);
        system_begin(r);
        system_set_int(r, "datid", SQL_DATABASE_OID);
        system_set_text(r, "datname", s->settings.database);
        system_set_int(r, "pid", ++pid);
        system_set_int(r, "usesysid", SQL_OWNER_OID);
        system_set_text(r, "usename", s->settings.user);
        system_set_text(r, "application_name", settings_get(s, slice_lit("application_name")));
        system_set_string(r, "state",
                          s == r->run->session ? "active"
                          : s->failed          ? "idle in transaction (aborted)"
                          : s->block           ? "idle in transaction"
                                               : "idle");
        system_set_string(r, "backend_type", "client backend");
        failed = system_end(r);
    }
    return failed;
}

int system_pg_timezone_names(struct system_rows *r) {
    const struct sql_zone *zone;
    int failed = 0;
    for (unsigned i = 0; !failed && (zone = sql_zones_at(r->db->zones, i)); i++) {
        const struct sql_zone_kind *now = sql_zone_at(zone, r->run->session->settings.now);
        union sql_cell offset = {.interval = {.microseconds = (int64_t)now->offset * 1000000}};
        system_begin(r);
        system_set_string(r, "name", zone->name);
        system_set_string(r, "abbrev", now->abbreviation);
        system_set_cell(r, "utc_offset", offset);
        system_set_int(r, "is_dst", now->daylight);
        failed = system_end(r);
    }
    return failed;
}
