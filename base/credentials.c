#include "base/credentials.h"

#include "base/invariant.h"

/* Three bytes are four digits; what is missing of the last three is padded with "=". */
static void encode(struct span bytes, struct output *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t bits = (uint32_t)bytes.data[i] << 16;
        if (left > 1)
            bits |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2)
            bits |= bytes.data[i + 2];
        const char text[] = {digits[bits >> 18], digits[bits >> 12 & 63],
                             left > 1 ? digits[bits >> 6 & 63] : '=',
                             left > 2 ? digits[bits & 63] : '='};
        output_add(out, span_of(text, sizeof text));
    }
}

void credentials_plain(const struct credentials *credentials, struct output *out)
{
    uint8_t message[2 + 2 * CREDENTIALS_BYTES_MAX];
    struct output plain = {message, 0, sizeof message};
    INVARIANT(credentials->user.size <= CREDENTIALS_BYTES_MAX);
    INVARIANT(credentials->password.size <= CREDENTIALS_BYTES_MAX);
    output_add(&plain, span_of("", 1));
    output_add(&plain, credentials->user);
    output_add(&plain, span_of("", 1));
    output_add(&plain, credentials->password);
    encode(span_of(message, plain.size), out);
    explicit_bzero(message, sizeof message);
}

void credentials_base64(struct span text, struct output *out)
{
    INVARIANT(text.size <= CREDENTIALS_BYTES_MAX);
    encode(text, out);
}
