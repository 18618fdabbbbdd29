// The plant: tags, users, and what the table says of them.
#pragma once
#include "switches.h"
struct Tag {
    String name; VARTYPE vt; long type; bool readonly, buffer; int cls; DWORD period; VARIANT value;
    String object; DATE time; bool limited; double low, high;
    bool whole = false, by_reference = false;       // taken as it is written; delivered by reference (kinds.h)
};
struct User { String password, roles, guid; bool may(const wchar_t *role) const { return roles.find(role) != String::npos; } };
// An object's life: off scan its values are bad, undeployed there are none; a stopped engine takes all of them.
struct State { bool scan = true, deployed = true; DWORD initializing_until = 0; };
static std::map<String, Tag> g_tags;
static std::map<String, User> g_users;
static std::map<String, State> g_objects;
static bool g_secure, g_loaded, g_licensed, g_running;

static VARTYPE type_named(const String &n)
{
    static const struct { const wchar_t *n; VARTYPE v; } all[] = {{L"BOOL", VT_BOOL}, {L"I4", VT_I4}, {L"I8", VT_I8}, {L"R4", VT_R4},
        {L"R8", VT_R8}, {L"BSTR", VT_BSTR}, {L"DATE", VT_DATE}, {L"NULL", VT_NULL}, {L"ERROR", VT_ERROR}};
    for (auto &a : all) if (n == a.n) return a.v;
    return VT_EMPTY;
}
static void parse(const String &text, VARTYPE vt, VARIANT *v)
{
    VariantInit(v);
    v->vt = vt;
    switch (vt) {
    case VT_BOOL: v->boolVal = text == L"1" || text == L"true" ? VARIANT_TRUE : VARIANT_FALSE; break;
    case VT_I4: case VT_ERROR: v->lVal = wcstol(text.c_str(), nullptr, 0); break;
    case VT_I8: v->llVal = wcstoll(text.c_str(), nullptr, 0); break;
    case VT_R4: v->fltVal = (float)wcstod(text.c_str(), nullptr); break;
    case VT_R8: case VT_DATE: v->dblVal = wcstod(text.c_str(), nullptr); break;
    case VT_BSTR: v->bstrVal = SysAllocStringLen(text.data(), text.size()); break;
    }
}
static void *payload(VARIANT *v) { return v->vt == VT_BSTR ? (void *)v->bstrVal : (void *)&v->llVal; }
// Elements parted by |, row after row; `rows` is 0 for one dimension.
static void parse_array(const String &text, VARTYPE vt, long rows, VARIANT *v)
{
    auto parts = text.empty() ? std::vector<String>() : split(text, L'|');
    SAFEARRAYBOUND b[2] = {{(ULONG)(rows ? rows : parts.size()), 0}, {(ULONG)(rows ? parts.size() / rows : 0), 0}};
    SAFEARRAY *a = SafeArrayCreate(vt, rows ? 2 : 1, b);
    for (long i = 0; i < (long)parts.size(); i++) {
        long at[2] = {rows ? i / (long)b[1].cElements : i, rows ? i % (long)b[1].cElements : 0};
        VARIANT e; parse(parts[i], vt, &e); SafeArrayPutElement(a, at, payload(&e)); VariantClear(&e);
    }
    v->vt = VT_ARRAY | vt; v->parray = a;
}
static const char *BUILT_IN =
    "T.Bool\tBOOL\t1\trw\t0\tbuffer\t-\t1\nT.Int\tI4\t2\trw\t0\tbuffer\t-\t42\nT.Int64\tI8\t6\trw\t0\t-\t-\t1099511627776\n"
    "T.Float\tR4\t3\trw\t0\tbuffer\t-\t1.5\nT.Double\tR8\t4\trw\t0\tbuffer\t-\t2.25\nT.String\tBSTR\t5\trw\t0\t-\t-\tcaf\xc3\xa9 \xe4\xb8\xad\n"
    "T.Time\tDATE\t6\trw\t0\t-\t-\t45000.5\nT.Null\tNULL\t0\tro\t0\t-\t-\t\nT.Error\tERROR\t2\tro\t0\t-\t-\t-2147352566\n"
    "T.BoolArray[]\tBOOL\t1\trw\t0\t-\t-\t0|1|0|1|0|1|0|1|0|1\nT.IntArray[]\tI4\t2\trw\t0\t-\t-\t0|10|20|30|40|50|60|70|80|90\n"
    "T.FloatArray[]\tR4\t3\trw\t0\t-\t-\t0|0.25|0.5|0.75\nT.DoubleArray[]\tR8\t4\trw\t0\t-\t-\t0|0.125|0.25|0.375\n"
    "T.StringArray[]\tBSTR\t5\trw\t0\t-\t-\ts0 \xc3\xa9|s1||s3\nT.TimeArray[]\tDATE\t6\trw\t0\t-\t-\t45000.25|45001.25\n"
    "T.Matrix[]\tI4\t2\trw\t0\trows=2\t-\t11|12|13|21|22|23\nT.Range\tI4\t2\trw\t0\tlow=-10,high=10\t-\t0\n"
    "T.Tune\tI4\t2\trw\t4\t-\t-\t0\nT.Configure\tI4\t2\trw\t5\t-\t-\t0\nT.ViewOnly\tI4\t2\trw\t6\t-\t-\t0\nT.Operate\tI4\t2\trw\t1\t-\t-\t0\n"
    "T.Alarm.InAlarm\tBOOL\t1\tro\t0\t-\t-\t1\nT.Alarm.Acked\tBOOL\t1\tro\t0\t-\t-\t0\nT.Alarm.AckMsg\tBSTR\t5\trw\t0\t-\t-\t\nT.Alarm.TimeAlarmAcked\tDATE\t6\tro\t0\t-\t-\t0\n"
    "T.Const\tI4\t2\tro\t0\t-\t-\t7\nT.Secured\tI4\t2\trw\t2\t-\t-\t0\nT.Verified\tI4\t2\trw\t3\t-\t-\t0\nT.Count\tI4\t2\tro\t0\tbuffer\tcount/100\t0\n";

static void load_kinds();
static void load_plant()
{
    if (g_loaded) return;
    g_loaded = g_licensed = g_running = true; g_secure = false; g_problem.clear();
    reset_switches();
    std::string bytes;
    String path = environment(L"LMXSIM_TABLE");
    FILE *f = path.empty() ? nullptr : _wfopen(path.c_str(), L"rb");
    if (f) { char buf[65536]; size_t n; while ((n = fread(buf, 1, sizeof buf, f))) bytes.append(buf, n); fclose(f); } else bytes = BUILT_IN;
    int n = MultiByteToWideChar(CP_UTF8, 0, bytes.data(), bytes.size(), nullptr, 0);
    String text(n, L'\0'); MultiByteToWideChar(CP_UTF8, 0, bytes.data(), bytes.size(), &text[0], n);
    for (auto &line : split(text, L'\n')) {
        if (!line.empty() && line.back() == L'\r') line.pop_back();
        auto c = split(line, L'\t');
        if (c[0] == L"@security") g_secure = c.size() > 1 && c[1] != L"none";
        else if (c[0] == L"@licence") g_licensed = c.size() < 2 || c[1] != L"none";
        else if (c[0] == L"@switch" && c.size() > 2) set_switch(c[1], c[2]);
        else if (c[0] == L"@user" && c.size() > 3) g_users[lower(c[1])] = {c[2], c[3], c.size() > 4 ? lower(c[4]) : L""};
        else if (c.size() > 7) {
            Tag t = {c[0], type_named(c[1]), wcstol(c[2].c_str(), nullptr, 10), c[3] == L"ro", false, (int)wcstol(c[4].c_str(), nullptr, 10),
                     c[6].compare(0, 6, L"count/") ? 0 : (DWORD)wcstol(c[6].c_str() + 6, nullptr, 10), {},
                     lower(c[0].substr(0, c[0].find(L'.'))), now_date(false), false, 0, 0};
            long rows = 0;
            for (auto &flag : split(c[5], L',')) {
                if (flag == L"buffer") t.buffer = true;
                else if (!flag.compare(0, 5, L"rows=")) rows = wcstol(flag.c_str() + 5, nullptr, 10);
                else if (!flag.compare(0, 4, L"low=")) { t.limited = true; t.low = wcstod(flag.c_str() + 4, nullptr); }
                else if (!flag.compare(0, 5, L"high=")) { t.limited = true; t.high = wcstod(flag.c_str() + 5, nullptr); }
            }
            ends(c[0], L"[]") ? parse_array(c[7], t.vt, rows, &t.value) : parse(c[7], t.vt, &t.value);
            g_tags[lower(c[0])] = t;
            g_objects[t.object];
        }
    }
    load_kinds();
    for (auto &pair : split(environment(L"LMXSIM_SWITCHES"), L';')) {
        auto eq = pair.find(L'=');
        if (eq != String::npos) set_switch(pair.substr(0, eq), pair.substr(eq + 1));
    }
}

static void reset_plant()
{
    for (auto &t : g_tags) VariantClear(&t.second.value);
    g_tags.clear(); g_users.clear(); g_objects.clear(); g_loaded = false;
    load_plant();
}
