#include "base/password.h"

#include "base/mem.h"

#include <crypt.h>
#include <errno.h>

#define BCRYPT_LEN 60 /* $2b$CC$ + 22 characters of salt + 31 of hash */

static bool is_bcrypt_letter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '/';
}

int password_cost(slice hash) {
    if (hash.len != BCRYPT_LEN || memcmp(hash.ptr, "$2", 2) != 0 || hash.ptr[3] != '$' ||
        hash.ptr[6] != '$')
        return -EINVAL;
    char kind = hash.ptr[2];
    char tens = hash.ptr[4];
    char ones = hash.ptr[5];
    if ((kind != 'a' && kind != 'b' && kind != 'y') || tens < '0' || tens > '3' || ones < '0' ||
        ones > '9')
        return -EINVAL;
    for (size_t i = 7; i < BCRYPT_LEN; i++) {
        if (!is_bcrypt_letter(hash.ptr[i]))
            return -EINVAL;
    }
    int cost = (tens - '0') * 10 + (ones - '0');
    return cost >= PASSWORD_COST_MIN && cost <= PASSWORD_COST_MAX ? cost : -EINVAL;
}

bool password_is_bcrypt(slice hash) {
    return password_cost(hash) > 0;
}

/* The compiler must not leave this out, although nobody reads the bytes again. */
static void wipe(void *bytes, size_t len) {
    explicit_bzero(bytes, len);
}

/* Hashes PASSWORD as SETTING says and puts the text to RET_HASH. crypt's work space is 32 KB, so it
   is not on the stack. */
static int run_crypt(slice password, const char *setting, char ret_hash[PASSWORD_HASH_SIZE]) {
    char text[PASSWORD_MAX + 1];
    if (slice_to_string(password, text, sizeof text) < 0)
        return -EINVAL;
    struct crypt_data *work = mem_zalloc(1, sizeof *work);
    if (!work) {
        wipe(text, sizeof text);
        return -ENOMEM;
    }
    const char *hash = crypt_r(text, setting, work);
    int rc = hash && hash[0] != '*' ? 0 : -EINVAL;
    if (rc == 0)
        rc = slice_to_string(slice_str(hash), ret_hash, PASSWORD_HASH_SIZE);
    wipe(text, sizeof text);
    wipe(work, sizeof *work);
    mem_free(work);
    return rc;
}

int password_verify(slice password, slice hash) {
    char setting[PASSWORD_HASH_SIZE];
    char made[PASSWORD_HASH_SIZE];
    if (!password_is_bcrypt(hash) || slice_to_string(hash, setting, sizeof setting) < 0)
        return -EINVAL;
    if (password.len > PASSWORD_MAX || slice_find(password, '\0') >= 0)
        return -EACCES;
    int rc = run_crypt(password, setting, made);
    if (rc < 0)
        return rc;
    return password_equal(slice_str(made), hash) ? 0 : -EACCES;
}

int password_hash(slice password, int cost, const uint8_t salt[PASSWORD_SALT_SIZE],
                  char ret_hash[PASSWORD_HASH_SIZE]) {
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (password.len == 0 || cost < PASSWORD_COST_MIN || cost > PASSWORD_COST_MAX)
        return -EINVAL;
    if (!crypt_gensalt_rn("$2b$", (unsigned long)cost, (const char *)salt, PASSWORD_SALT_SIZE,
                          setting, sizeof setting))
        return -EINVAL;
    return run_crypt(password, setting, ret_hash);
}

bool password_equal(slice a, slice b) {
    if (a.len != b.len)
        return false;
    unsigned char differs = 0;
    for (size_t i = 0; i < a.len; i++)
        differs |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    /* Through volatile, so that the loop is not turned into one that stops early. */
    volatile unsigned char result = differs;
    return result == 0;
}
