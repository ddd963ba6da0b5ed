/*
 * guard.c - Host, Origin and credentials (guard.h says why each).
 *
 * Host is judged first and on every request: a page that has rebound its name to this machine must
 * not even learn which paths exist. What is compared are parsed authorities, never texts.
 */
#include "http/guard.h"

#include "base/base64.h"
#include "base/ip.h"
#include "base/password.h"
#include "wire/url.h"

#include <errno.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static const struct http_refusal let_in = {0, NULL};

/* --- Host --------------------------------------------------------------------------------------
 */

static bool host_is_ours(const struct http_guard *guard, slice authority) {
    struct url_authority parsed;
    struct ip ip;
    if (url_parse_authority(authority, &parsed) || parsed.user.ptr)
        return false;
    if (ip_parse(parsed.host, &ip) == 0 || slice_equal_nocase(parsed.host, slice_lit("localhost")))
        return true;
    for (const char *const *name = guard->hosts; name && *name; name++)
        if (slice_equal_nocase(parsed.host, slice_str(*name)))
            return true;
    return false;
}

/* --- Origin ------------------------------------------------------------------------------------
 */

static bool is_reading(slice method) {
    return slice_equal(method, slice_lit("GET")) || slice_equal(method, slice_lit("HEAD")) ||
           slice_equal(method, slice_lit("OPTIONS"));
}

static bool origin_is_ours(slice origin, slice authority, bool is_tls) {
    struct url url;
    if (url_parse(origin, &url) || url.path.len || url.query.ptr)
        return false; /* "null", too */
    slice scheme = is_tls ? slice_lit("https") : slice_lit("http");
    return slice_equal_nocase(url.scheme, scheme) &&
           url_same_authority(url.authority_text, authority, is_tls ? 443 : 80);
}

static bool comes_from_here(const struct http1_head *head, bool is_tls) {
    for (size_t i = 0; i < head->fields_count; i++) {
        const struct http1_field *field = &head->fields[i];
        if (slice_equal_nocase(field->name, slice_lit("Origin")) &&
            !origin_is_ours(field->value, head->authority, is_tls))
            return false;
        if (slice_equal_nocase(field->name, slice_lit("Sec-Fetch-Site")) &&
            !slice_equal(field->value, slice_lit("same-origin")) &&
            !slice_equal(field->value, slice_lit("none")))
            return false;
    }
    return true;
}

/* --- credentials -------------------------------------------------------------------------------
 */

static bool may_ask(struct http_login_budget *budget, uint64_t now_ns) {
    if (budget->second != now_ns / NS_PER_SECOND)
        *budget = (struct http_login_budget){.second = now_ns / NS_PER_SECOND};
    return budget->used++ < HTTP_LOGINS_PER_SECOND;
}

static struct http_refusal refuse_login(const char *detail) {
    return (struct http_refusal){401, detail};
}

struct http_refusal http_guard_refusal(int result) {
    if (result == 0)
        return let_in;
    if (result == -ENOMEM)
        return (struct http_refusal){503, "no memory for the login"};
    if (result == -EAGAIN)
        return (struct http_refusal){429, "too many logins at once"};
    return refuse_login("user or password is wrong");
}

static struct http_refusal judge_basic(const struct http_guard *guard, slice encoded,
                                       struct http_login_budget *budget, uint64_t now_ns,
                                       struct arena *arena, struct http_login *login) {
    if (!guard->check_user)
        return refuse_login("this listener knows no users, only its token");
    size_t room = base64_decoded_max(encoded.len), len;
    char *text = arena_alloc(arena, room);
    if (!text)
        return (struct http_refusal){503, "no memory for the request"};
    if (base64_decode(BASE64_STANDARD, encoded, text, room, &len))
        return refuse_login("the credentials are not base64");
    slice password;
    slice user = slice_cut(slice_make(text, len), ':', &password);
    if (!password.ptr)
        return refuse_login("the credentials have no password");
    if (!may_ask(budget, now_ns))
        return (struct http_refusal){429, "too many logins a second"};
    login->user = user;
    int result = guard->check_user(guard->owner, user, password, login);
    login->asked = result == -EINPROGRESS;
    return login->asked ? let_in : http_guard_refusal(result);
}

static struct http_refusal judge_login(const struct http_guard *guard,
                                       const struct http1_head *head,
                                       struct http_login_budget *budget, uint64_t now_ns,
                                       struct arena *arena, struct http_login *login) {
    slice text;
    if (!http1_get(head, slice_lit("Authorization"), &text))
        return refuse_login("this call needs credentials: the token of the node, or a user");
    if (http1_cut_scheme(&text, slice_lit("Bearer"))) {
        if (guard->token.len == 0 || !password_equal(text, guard->token))
            return refuse_login("the token is wrong");
        return let_in;
    }
    if (http1_cut_scheme(&text, slice_lit("Basic")))
        return judge_basic(guard, text, budget, now_ns, arena, login);
    return refuse_login("the credentials are neither Bearer nor Basic");
}

/* The node's own gateway; its token is not a thing that is guessed at. False: it is not. */
static bool is_gateway(const struct http_guard *guard, const struct http1_head *head) {
    slice text;
    return guard->gateway_token.len && http1_get(head, slice_lit("Authorization"), &text) &&
           http1_cut_scheme(&text, slice_lit(HTTP_GATEWAY_SCHEME)) &&
           password_equal(text, guard->gateway_token);
}

/* The gateway has seen to it that the field is its own. */
static struct http_refusal let_gateway_in(const struct http1_head *head, struct arena *arena,
                                          struct http_login *login) {
    slice user;
    login->gateway = true;
    if (http1_get(head, slice_lit(HTTP_GATEWAY_USER), &user) &&
        arena_copy(arena, user, &login->user))
        return (struct http_refusal){503, "no memory for the request"};
    return let_in;
}

struct http_refusal http_guard_judge(const struct http_guard *guard, const struct http1_head *head,
                                     bool is_tls, bool without_login,
                                     struct http_login_budget *budget, uint64_t now_ns,
                                     struct arena *arena, struct http_login *login) {
    if (!(guard->any_host && without_login) && !host_is_ours(guard, head->authority))
        return (struct http_refusal){403, "Host is neither an address, localhost nor a name "
                                          "that this listener is configured for"};
    if (is_gateway(guard, head))
        return let_gateway_in(head, arena, login);
    bool reading = is_reading(head->method);
    if (!reading && !comes_from_here(head, is_tls))
        return (struct http_refusal){403, "a page of another origin may not change anything here"};
    if (without_login || (reading && !guard->reading_too))
        return let_in;
    return judge_login(guard, head, budget, now_ns, arena, login);
}
