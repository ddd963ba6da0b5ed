#include "signatures.h"

#include "base/base64.h"

#include <string.h>

#define RSA_7520                                                                                   \
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_"     \
    "AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpP"     \
    "e7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg"     \
    "_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
#define SECRET_7515                                                                                \
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define PAYLOAD_7520                                                                               \
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAg"     \
    "b250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dp"     \
    "bmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
#define PAYLOAD_7515                                                                               \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"     \
    "cnVlfQ"

const struct signature_example signature_examples[SIGNATURE_EXAMPLES] = {
    {
        .name = "RFC 7515, A.1",
        .algorithm = IO_HS256,
        .kty = "oct",
        .first = SECRET_7515,
        .signed_part = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD_7515,
        .signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    },
    {
        .name = "RFC 7515, A.2",
        .algorithm = IO_RS256,
        .kty = "RSA",
        .first = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrc"
                 "S2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGz"
                 "jb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xs"
                 "mtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8"
                 "q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        .second = "AQAB",
        .signed_part = "eyJhbGciOiJSUzI1NiJ9." PAYLOAD_7515,
        .signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Q"
                     "c_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTy"
                     "WzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu"
                     "sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5A"
                     "XLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    },
    {
        .name = "RFC 7515, A.3",
        .algorithm = IO_ES256,
        .kty = "EC",
        .crv = "P-256",
        .first = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        .second = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        .signed_part = "eyJhbGciOiJFUzI1NiJ9." PAYLOAD_7515,
        .signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqP"
                     "P3-Kg6NU1Q",
    },
    {
        .name = "RFC 7515, A.4",
        .algorithm = IO_ES512,
        .kty = "EC",
        .crv = "P-521",
        .first = "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4"
                 "qUxcWceqwQGk",
        .second = "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9u"
                  "bmf63e3kyMj2",
        .signed_part = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
        .signature = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB"
                     "34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNr"
                     "mxYbSW9ERBXukOXolLzeO_Jn",
    },
    {
        .name = "RFC 7520, 4.1",
        .algorithm = IO_RS256,
        .kty = "RSA",
        .first = RSA_7520,
        .second = "AQAB",
        .signed_part = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"
                       "." PAYLOAD_7520,
        .signature = "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwz"
                     "JdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746"
                     "iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW"
                     "3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ4"
                     "1Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
    },
    {
        .name = "RFC 7520, 4.2",
        .algorithm = IO_PS384,
        .kty = "RSA",
        .first = RSA_7520,
        .second = "AQAB",
        .signed_part = "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"
                       "." PAYLOAD_7520,
        .signature = "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklH"
                     "kqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVs"
                     "diNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjv"
                     "AA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOc"
                     "bH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
    },
    {
        .name = "RFC 7520, 4.3",
        .algorithm = IO_ES512,
        .kty = "EC",
        .crv = "P-521",
        .first = "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDy"
                 "RXYgCF5cj0Kt",
        .second = "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9c"
                  "wlGfP-HqHZR1",
        .signed_part = "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"
                       "." PAYLOAD_7520,
        .signature = "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNE"
                     "uT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsb"
                     "EPX6sFY8OcGDqoRuBomu9xQ2",
    },
    {
        .name = "RFC 7520, 4.4",
        .algorithm = IO_HS256,
        .kty = "oct",
        .first = "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
        .signed_part =
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAz"
            "NyJ9." PAYLOAD_7520,
        .signature = "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
    },
    {
        .name = "RFC 8037, A.4",
        .algorithm = IO_EDDSA,
        .kty = "OKP",
        .crv = "Ed25519",
        .first = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        .signed_part = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        .signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvp"
                     "Ar_MuM0KAg",
    },
    {
        .name = "RS384, by Node.js with the key of RFC 7520, 3.4",
        .algorithm = IO_RS384,
        .kty = "RSA",
        .first = RSA_7520,
        .second = "AQAB",
        .signed_part = "eyJhbGciOiJSUzM4NCJ9.aGVsbG8",
        .signature = "Q9UaMPvSyD9Z_PZR94pmWbV-DXq3lz_Z_JUHFAOt54U7JEwWSB6h5oLvHRHlBMmTkXxjwH2o_DPS"
                     "xILmbOU5-xIc2eHp_s8imw9ix_ExpgiryVpHHdZIc39Rp8VszcqZbo-0Co9AoU-pe5_LP2SgnjWC"
                     "NLgJNXPuOSyLF3oNPgDQxyQTjUSK95G0l_xv2WtA-F-3k0btY35pafFevkot41AanGYR6PkQibZQ"
                     "oByDG-nOq-lPghfVeg35D04jL_os8MCG9d7vyg3rHYFl_17u56il4Z5JKDT9-tf2Z78uk1mp2Ksp"
                     "8AokUcJR3wXuGyPLC1-uYx-hptnHPzcYJUmGwA",
    },
    {
        .name = "RS512, the same",
        .algorithm = IO_RS512,
        .kty = "RSA",
        .first = RSA_7520,
        .second = "AQAB",
        .signed_part = "eyJhbGciOiJSUzUxMiJ9.aGVsbG8",
        .signature = "cgUxlgn6Nu8kk56r9KWv-v09QFjtYyPmhPTe1arhLOZiVIdd0iP4tsttL-SWM2y63svrPTby0Fbh"
                     "RjOZJBPYyqjNByMaVTINA1jMD2RX8tjEceMD-rypqGNb7wPgINV6wDzNjo9aL7vd0-9633TzeHZ8"
                     "-uf6alRYzbCYDqw-2aP77fTVWFoEMcPU9UKOuJwmq4HSvP0oW3BTJVzzKwCXyD3Ume9cMMkwtNsK"
                     "BoAyU7G-HBL4PPkmr0AdxZkg0_kKh9GML7O7qhPGNhrPdvVoNsePNyFKIuAWvlRrwzOUyWY1ngd9"
                     "uv7sQ5zLPIpD9S3In_M2hmRvJ_8g4nZm1zEpcg",
    },
    {
        .name = "PS256, the same",
        .algorithm = IO_PS256,
        .kty = "RSA",
        .first = RSA_7520,
        .second = "AQAB",
        .signed_part = "eyJhbGciOiJQUzI1NiJ9.aGVsbG8",
        .signature = "Z5OP3fKCFr06DXDwZ4INsqYvvKWO_5mUaRwS4oa0u1GZ0LxTKAPFzJTwVGwdxvysKMMSIZf-RYtx"
                     "ZzVqI81WEhc7_D97zwTqaJDhV71emY6jTgXBVZsIxJQNbcGlB8lw5OhINMLBtxJ6ExIPV6E-1BW5"
                     "LzgVWr_TmAs6j2qQmY4eZbpiEUpnzWf2hlBADTJn8DRanz7nGkVH3C4-5nXUn4xqqZLSC1i5jv77"
                     "HtzWlaMtV1jeEheixe4CXI_ZLWGex_UplubFkTzHOGvxH5ILdrbUDe1s_RMWXtnQkbmP_L98fym-"
                     "tQghwYQ-7qPew5vUFEfhtY-iTGt4T6G3x2vzpA",
    },
    {
        .name = "PS512, the same",
        .algorithm = IO_PS512,
        .kty = "RSA",
        .first = RSA_7520,
        .second = "AQAB",
        .signed_part = "eyJhbGciOiJQUzUxMiJ9.aGVsbG8",
        .signature = "VnZy0Y2w3NnQBekHiy6aEEGj7a0BFK-_zYHYjPPWZ80HOJfTZy2D8_MVFWEMB5Bwhm2WpLZv2Zs9"
                     "QUWWqC4Yz73Yht8V4IVZkpl1TrIWwgg6AJOP3YyNBai5M7jM9N6MDD6y4IQTWd-WoGUe0DPQf-FM"
                     "tlkkfXtutJseuIvLs9MgQxw-DR2l6TweTRliPJGc6Tnk_7sqHg-kGvBTlfs4nvmzlX_G8bK9zyFo"
                     "PcoIlLczyAGhcUkTwmi7AdcFiPOCcJ4NY5yici3srLcKbANzgPlVWWCpHPh9nDxqorzvDl0nNEni"
                     "t94R9Tzc3VIJ8Dg8s3n3FeRS_iN7hEV2MPuOWQ",
    },
    {
        .name = "ES384, by Node.js",
        .algorithm = IO_ES384,
        .kty = "EC",
        .crv = "P-384",
        .first = "8VrV9C7QnUGtJYiRdiHqO3taXOOmgYO32vLraw0bvN_fDQPL0ij8h8kxevtMN_Vi",
        .second = "Wl0aE4gkntqukplSZ3iKK63vbaaCrCBwYJl6iN3BuM2m_oXTObUNqCT_GBewQG9v",
        .signed_part = "eyJhbGciOiJFUzM4NCJ9.aGVsbG8",
        .signature = "sqxAISax9-MVdNBqH3l4WicmRW6iyxK8CU2G7orApQkt0l0GksDlKNbGse74vFxcYo0Q8DG6Y7ib"
                     "gEpNmU93dWitdLBR9OzBpHMEX10N7HjCHzHzeefqZO0biRUuoq3q",
    },
    {
        .name = "HS384, by Node.js with the key of RFC 7515, A.1",
        .algorithm = IO_HS384,
        .kty = "oct",
        .first = SECRET_7515,
        .signed_part = "eyJhbGciOiJIUzM4NCJ9.aGVsbG8",
        .signature = "-rOk2WHPwwfAQbAi6gLXHGzCrDiHTE1-xX-u7lBudmox9Mm22pCmaE0N4A-5g7HU",
    },
    {
        .name = "HS512, the same",
        .algorithm = IO_HS512,
        .kty = "oct",
        .first = SECRET_7515,
        .signed_part = "eyJhbGciOiJIUzUxMiJ9.aGVsbG8",
        .signature = "iBuq3c2QNGjeNNWT-wbMJiI2gc5fQa1BCVwvhLqZIJUNEPZSa4PjAtoeARUxButwfCIDtEiIzxP2"
                     "wZLPZPMa_Q",
    },
};

slice signature_bytes(const char *text, unsigned char *out, size_t size) {
    size_t len;
    check(base64_decode(BASE64_URL_RAW, slice_str(text), out, size, &len) == 0);
    return slice_make(out, len);
}

struct io_verifier *signature_key(const struct signature_example *e) {
    unsigned char first_bytes[1024], second_bytes[1024];
    slice first = signature_bytes(e->first, first_bytes, sizeof first_bytes);
    slice second = signature_bytes(e->second ? e->second : "", second_bytes, sizeof second_bytes);
    struct io_verifier *key = NULL;
    struct error error;
    int failed = strcmp(e->kty, "RSA") == 0 ? io_verifier_rsa(first, second, &key, &error)
                 : strcmp(e->kty, "EC") == 0
                     ? io_verifier_ec(slice_str(e->crv), first, second, &key, &error)
                 : strcmp(e->kty, "OKP") == 0 ? io_verifier_ed25519(first, &key, &error)
                                              : io_verifier_secret(first, &key, &error);
    check(failed == 0);
    return key;
}
