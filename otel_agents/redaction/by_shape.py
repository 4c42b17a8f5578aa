"""Credentials in a text, found by the formats that their issuers publish, in URLs, and by the names that precede them."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import NamedTuple, Protocol

from otel_agents.redaction.by_name import compiled, without_assignments


class Redact(Protocol):
    """Redacts a text. `name` is the attribute or key that it is the value of, if any: `password` gives away what its value alone does not."""

    def __call__(self, text: str, name: str = "", /) -> str: ...


class Shape(NamedTuple):
    """The format of one issuer's credential, redacted as `[redacted:<kind>]`. Only texts that contain one of its gates (literal substrings) are searched.

    Patterns start at a word boundary and use bounded or disjoint quantifiers, so that no text makes them backtrack for long.
    """

    kind: str
    gates: tuple[str, ...]
    pattern: str


def shape(kind: str, gates: str, pattern: str) -> Shape:
    """A format; the group `head` of its pattern is text before the credential that is kept."""
    head = "" if "(?P<head>" in pattern else "(?P<head>)"
    begins = "" if "(?P<head>" in pattern else "(?<![A-Za-z0-9_])(?<![A-Za-z0-9_]-)"
    return Shape(kind, (gates,) if " KEY" in gates else tuple(gates.split()), f"{begins}{head}(?:{pattern})")


B64 = "[A-Za-z0-9+/]"
URL64 = "[A-Za-z0-9_-]"
PEM = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----"

# Formats whose random part may contain dashes or symbols, or follows no separator. Texts are searched for each of their gates,
# at 0.5 µs per gate and kB: keep them few.
SEARCHED = (
    shape(
        "private-key",
        "PRIVATE KEY",
        rf"(?P<head>){PEM}(?:(?:[^-]|-(?!-)){{1,20000}}-----END[A-Z0-9 ]{{1,60}}-----|(?:(?:\s|\\[rn]|[\"'+,])*{B64}{{16,100}})*{B64}{{0,16}}={{0,2}})",
    ),
    shape("anthropic-key", "sk-", rf"sk-ant-{URL64}{{3,400}}"),
    shape("openrouter-key", "sk-", rf"sk-or-{URL64}{{16,200}}"),
    shape("langfuse-key", "sk-", rf"sk-lf-{URL64}{{16,100}}"),
    shape(
        "openai-key",
        "sk-",
        rf"sk-(?!ssh-|ecdsa-)(?:(?:proj|svcacct|admin|None|live|test)-{URL64}{{4,400}}|[A-Za-z0-9]{{16,400}}|(?=[a-z_-]{{0,40}}[A-Z0-9]){URL64}{{12,400}})",
    ),
    shape("google-key", "AIza", rf"AIza{URL64}{{30,60}}"),
    shape("google-token", "ya29. GOCSPX-", rf"(?:ya29\.|GOCSPX-){URL64}{{16,1000}}"),
    shape("aws-key", "AKIA ASIA", r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    shape("bedrock-key", "ABSK", rf"ABSK{B64}{{60,400}}={{0,2}}"),
    shape("webhook-secret", "whsec_", rf"whsec_{B64}{{20,100}}={{0,2}}"),
    shape("bedrock-key", "bedrock-api-key-", rf"bedrock-api-key-{B64}{{40,4000}}={{0,2}}"),
    shape("sentry-token", "sntry", r"sntry[su]_[A-Za-z0-9+/=_]{30,500}"),
    shape("slack-token", "xox", r"xox[abceoprs]-[A-Za-z0-9-]{10,400}"),
    shape("slack-webhook", "hooks", r"(?P<head>hooks\.slack\.com/)(?:services|workflows|triggers)/[A-Za-z0-9/_-]{16,200}"),
    shape("discord-webhook", "hooks", rf"(?P<head>/api/webhooks/)\d{{10,30}}/{URL64}{{20,200}}"),
    shape("gitlab-token", "glpat-", rf"glpat-{URL64}{{16,400}}"),
    shape("sendgrid-key", "SG.", rf"SG\.{URL64}{{14,30}}\.{URL64}{{20,60}}"),
    shape("jwt", "eyJ", rf"eyJ{URL64}{{8,2000}}\.(?:eyJ{URL64}{{2,8000}}(?:\.{URL64}{{0,2000}})?|{URL64}{{0,2000}}(?:\.{URL64}{{8,8000}}){{2,3}})"),
    shape("atlassian-token", "ATATT3", r"ATATT3[A-Za-z0-9_=-]{40,400}"),
    shape("databricks-token", "dapi", r"dapi[a-f0-9]{32}(?:-\d)?"),
    shape("twilio-key", "SK", r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    shape("url-signature", "sig= ignature=", r"(?P<head>[?&][\w-]{0,20}[Ss]ig(?:nature)?=)[A-Za-z0-9%+/=_-]{16,1000}"),
    shape("curl-user", "curl", r"(?P<head>(?:\s-u|--user)[ =])[\"']?[^\s:\"'/\[]{1,100}:[^\s\"']{1,200}[\"']?"),
)

# Formats with a separator and then 14 letters or digits, or a mix that no word has (TAIL): only the text around such a tail is searched for their gates.
TAILED = (
    shape("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{20,255}"),
    shape("github-token", "github_pat_", r"github_pat_[A-Za-z0-9_]{20,255}"),
    shape("stripe-key", "k_live_ k_test_", r"[rsp]k_(?:live|test)_[A-Za-z0-9]{10,250}"),
    shape("elevenlabs-key", "sk_", r"sk_[a-f0-9]{40,64}(?![A-Za-z0-9])"),
    shape("huggingface-token", "hf_ api_org_", r"(?:hf|api_org)_[A-Za-z0-9]{16,100}"),
    shape("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{16,100}"),
    shape("xai-key", "xai-", r"xai-[A-Za-z0-9]{16,200}"),
    shape("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{16,200}"),
    shape("replicate-token", "r8_", r"r8_[A-Za-z0-9]{16,100}"),
    shape("cerebras-key", "csk-", r"csk-[a-z0-9]{20,100}"),
    shape("nvidia-key", "nvapi-", rf"nvapi-{URL64}{{20,200}}"),
    shape("fireworks-key", "fw_", r"fw_[A-Za-z0-9]{20,100}"),
    shape("voyage-key", "pa-", rf"pa-(?=[A-Za-z_-]{{0,60}}\d){URL64}{{40,100}}"),
    shape("jina-key", "jina_", rf"jina_{URL64}{{20,200}}"),
    shape("tavily-key", "tvly-", rf"tvly-{URL64}{{16,200}}"),
    shape("firecrawl-key", "fc-", r"fc-[0-9a-f]{32}(?![A-Za-z0-9])"),
    shape("e2b-key", "e2b_", r"e2b_[0-9a-f]{20,100}"),
    shape("langsmith-key", "lsv2_ ls__", r"(?:lsv2_(?:pt|sk)_|ls__)[A-Za-z0-9_]{20,200}"),
    shape("pinecone-key", "pcsk_", r"pcsk_[A-Za-z0-9_]{20,200}"),
    shape("wandb-key", "wandb_v1_", r"wandb_v1_[A-Za-z0-9_]{20,200}"),
    shape("npm-token", "npm_", r"npm_[A-Za-z0-9]{30,60}"),
    shape("pypi-token", "pypi-", rf"pypi-(?:AgE{URL64}{{16,1000}}|{URL64}{{60,1000}})"),
    shape("docker-token", "dckr_", rf"dckr_(?:pat|oat)_{URL64}{{20,200}}"),
    shape("rubygems-key", "rubygems_", r"rubygems_[a-f0-9]{40,60}"),
    shape("digitalocean-token", "_v1_", r"do[opr]_v1_[a-f0-9]{32,100}"),
    shape("slack-token", "xapp-", r"xapp-[A-Za-z0-9-]{10,400}"),
    shape("gitlab-token", "glptt- glrt- gldt- glsoat- glcbt- glagent- gloas-", rf"gl(?:ptt|rt|dt|soat|cbt|agent|oas)-{URL64}{{16,400}}"),
    shape("shopify-token", "shp", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    shape("square-token", "sq0", rf"sq0(?:atp|csp)-{URL64}{{20,100}}"),
    shape("notion-token", "secret_ ntn_", r"(?:secret|ntn)_[A-Za-z0-9]{30,100}"),
    shape("linear-key", "lin_", r"lin_(?:api|oauth)_[A-Za-z0-9]{20,100}"),
    shape("telegram-token", ":AA", rf"\d{{8,10}}:AA{URL64}{{30,40}}"),
    shape("discord-token", ".", rf"(?P<head>)[MNO](?<![A-Za-z0-9_-][MNO])[A-Za-z0-9_-]{{23,27}}\.{URL64}{{6}}\.{URL64}{{27,40}}"),
    shape("doppler-token", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{30,100}"),
    shape("vault-token", "hv", rf"hv[sbr]\.{URL64}{{20,300}}"),
    shape("figma-token", "figd_", rf"figd_{URL64}{{30,60}}"),
    shape("grafana-token", "glsa_ glc_", r"(?:glsa|glc)_[A-Za-z0-9_+/=-]{30,400}"),
    shape("newrelic-key", "NRAK-", r"NRAK-[A-Z0-9]{20,40}"),
    shape("postman-key", "PMAK-", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    shape("age-key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[A-Z0-9]{40,80}"),
    shape("terraform-token", "atlasv1.", rf"[A-Za-z0-9]{{14}}\.atlasv1\.{URL64}{{40,100}}"),
    shape("airtable-token", "pat", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    shape("supabase-key", "sbp_ sb_secret_", rf"(?:sbp|sb_secret)_{URL64}{{20,100}}"),
    shape("dropbox-token", "sl.", rf"sl\.(?:u\.)?{URL64}{{60,2000}}"),
    shape("planetscale-token", "pscale_", rf"pscale_(?:tkn|pw|oauth)_{URL64}{{20,100}}"),
    shape("mailgun-key", "key-", r"key-[0-9a-f]{32}(?![A-Za-z0-9])"),
)
TAIL = r"[-_.:](?:(?![0-9]{14})[A-Za-z0-9]{14}|(?=[a-z0-9_-]{0,40}+[A-Z])(?=[A-Za-z_-]{0,40}+[0-9])[A-Za-z0-9_-]{14})"
# a cheap test for a tail: letters, digits, - and _ are mapped to x, and : to a dot
SIGNS = (ascii_letters + digits + "-_").encode()
WORDS = bytes.maketrans(SIGNS + b":", len(SIGNS) * b"x" + b".")
RUN, DOTTED_RUN = 15 * b"x", b"." + 14 * b"x"
RARE = " etaoinsrhldcumfpgywbvk,.\"'0123456789:()/=-_xjqzTAISRCNOEMPLDBFHGWUVYKXJQZ"  # characters, from common to rare
AWS_SECRET = rf"(?<![A-Za-z0-9/+=])(?={B64}{{0,39}}[A-Z])(?={B64}{{0,39}}[a-z])(?={B64}{{0,39}}[0-9/+]){B64}{{40}}(?![A-Za-z0-9/+=])"
TEMPLATE = r"(?![^\s/?#\"'<>]{0,256}(?:\{[^}@]{0,60}\}|\$\w{1,40}|<\w{1,40}>|%s)@)"
USER_INFO = rf"://(?!\[redacted:){TEMPLATE}(?:[^\s/?#\"'<>@:]{{0,256}}:[^\s/?#\"'<>]{{1,512}}|(?=[^@]{{0,64}}\d)[\w.~%+-]{{16,512}})@"


def credential_free(text: str) -> str:
    """The text, with each credential replaced by `[redacted:<kind>]`."""
    return without_assignments(without_shapes(text))


def redacted_bytes(value: bytes, name: str, redact: Redact) -> bytes:
    """Bytes, redacted like text: their base64 form would hide nothing."""
    text = value.decode("latin-1")  # maps each byte to one character; credentials are ASCII
    seen = redact(text, name)
    return value if seen == text else seen.encode("latin-1", "replace")


def tails_of(text: str) -> str:
    """The text around every separator that is followed by a long enough word."""
    words = text.encode("utf-8", "surrogatepass").translate(WORDS)
    if RUN not in words and (b"." not in words or DOTTED_RUN not in words):
        return ""
    return "\n".join(text[max(0, tail.start() - 20) : tail.end()] for tail in compiled(TAIL).finditer(text))


def by_gate(shapes: tuple[Shape, ...]) -> tuple[tuple[str, tuple[Shape, ...]], ...]:
    gates = dict.fromkeys(gate for each in shapes for gate in each.gates)
    return tuple((gate, tuple(each for each in shapes if gate in each.gates)) for gate in gates)


GATES = tuple((max(gate, key=RARE.find), gate, shapes) for gate, shapes in by_gate(SEARCHED))  # the absence of a rare letter is found in 0.03 µs per kB
TAILED_GATES = by_gate(TAILED)


def without_shapes(text: str) -> str:
    """The text, with everything in an issuer's format, and the user-info of URLs, redacted."""
    present = [shapes for letter, gate, shapes in GATES if letter in text and gate in text]
    tails = tails_of(text)
    if tails:
        present += [shapes for gate, shapes in TAILED_GATES if gate in tails]
    for each in (each for shapes in present for each in shapes):
        seen = compiled(each.pattern).sub(rf"\g<head>[redacted:{each.kind}]", text)
        text = seen if each.kind != "aws-key" or seen == text else compiled(AWS_SECRET).sub("[redacted:aws-secret]", seen)
    return compiled(USER_INFO).sub("://[redacted:url-user]@", text) if "@" in text and "://" in text else text
