// One plant for several processes: what one of them changes it appends to a file, and all others read it there.
// A line is PROCESS TAB tag TAB NAME TAB DATE TAB IMAGE (kinds.h), or PROCESS TAB control TAB COMMAND.
#pragma once
#include "kinds.h"
static int nibble(wchar_t c) { return c <= L'9' ? c - L'0' : c - L'A' + 10; }
static std::vector<BYTE> bytes_of(const String &hex)
{
    std::vector<BYTE> out;
    for (size_t k = 0; k + 1 < hex.size(); k += 2) out.push_back(nibble(hex[k]) << 4 | nibble(hex[k + 1]));
    return out;
}
static BSTR text_of(const String &hex)
{ if (hex == L"none") return nullptr; auto b = bytes_of(hex); return SysAllocStringLen((const wchar_t *)b.data(), b.size() / 2); }
// The way back from image(); arrays have the lower bound 0.
static void read_image(const String &line, VARIANT *v)
{
    VariantInit(v);
    auto parts = split(line, L' ');
    VARTYPE vt = wcstoul(parts[0].c_str() + 3, nullptr, 16);
    String data = parts.back().substr(5);
    if (!(vt & VT_ARRAY)) {
        auto b = bytes_of(vt == VT_BSTR ? L"" : data);
        if (vt == VT_BSTR) v->bstrVal = text_of(data); else memcpy(vt == VT_DECIMAL ? (BYTE *)v + 2 : (BYTE *)&v->llVal, b.data(), b.size());
        v->vt = vt; return;
    }
    std::vector<SAFEARRAYBOUND> bounds; size_t total = 1;
    for (auto &n : split(parts[1].substr(7), L',')) { bounds.push_back({(ULONG)wcstoul(n.c_str(), nullptr, 10), 0}); total *= bounds.back().cElements; }
    v->vt = vt; v->parray = SafeArrayCreate(vt & VT_TYPEMASK, bounds.size(), bounds.data());
    auto elements = split(data, L'|'); void *to; SafeArrayAccessData(v->parray, &to);
    for (size_t k = 0; k < total && k < elements.size(); k++) {
        if (vt == (VT_ARRAY | VT_BSTR)) { ((BSTR *)to)[k] = text_of(elements[k]); continue; }
        auto b = bytes_of(elements[k]); memcpy((BYTE *)to + k * b.size(), b.data(), b.size());
    }
    SafeArrayUnaccessData(v->parray);
}

class Board {
    HANDLE file = INVALID_HANDLE_VALUE; LARGE_INTEGER at = {}; std::string rest;
    String own = std::to_wstring(GetCurrentProcessId());
public:
    ~Board() { if (file != INVALID_HANDLE_VALUE) CloseHandle(file); }
    bool is_open() const { return file != INVALID_HANDLE_VALUE; }
    void open(const String &path)
    {
        if (!path.empty()) file = CreateFileW(path.c_str(), GENERIC_READ | FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
    }
    void say(const String &what)
    {
        if (!is_open()) return;
        String line = own + L"\t" + what + L"\n";
        std::string bytes(line.size() * 3, '\0');
        bytes.resize(WideCharToMultiByte(CP_UTF8, 0, line.data(), line.size(), &bytes[0], bytes.size(), nullptr, nullptr));
        OVERLAPPED end = {}; end.Offset = end.OffsetHigh = 0xFFFFFFFF;      // one write at the end: no line is torn
        DWORD n; WriteFile(file, bytes.data(), bytes.size(), &n, &end);
    }
    void say(const Tag &tag)
    {
        wchar_t when[40]; swprintf(when, 40, L"%.17g", tag.time); VARIANT v = tag.value;
        if (!tag.whole) say(L"tag\t" + tag.name + L"\t" + when + L"\t" + image(&v));
    }
    // What others have said since the last time.
    std::vector<std::vector<String>> news()
    {
        std::vector<std::vector<String>> out;
        char buf[65536]; DWORD n;
        OVERLAPPED from = {}; from.Offset = at.LowPart; from.OffsetHigh = at.HighPart;
        while (is_open() && ReadFile(file, buf, sizeof buf, &n, &from) && n) {
            rest.append(buf, n); at.QuadPart += n; from.Offset = at.LowPart; from.OffsetHigh = at.HighPart;
        }
        for (size_t end; (end = rest.find('\n')) != std::string::npos; rest.erase(0, end + 1)) {
            int wide = MultiByteToWideChar(CP_UTF8, 0, rest.data(), end, nullptr, 0);
            String line(wide, L'\0'); MultiByteToWideChar(CP_UTF8, 0, rest.data(), end, &line[0], wide);
            auto parts = split(line, L'\t');
            if (parts.size() > 2 && parts[0] != own) out.push_back(parts);
        }
        return out;
    }
};
