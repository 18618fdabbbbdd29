// Clients, items, events, and the connection points by which events leave.
#pragma once
#include "board.h"
enum Kind { DataChange = 1, WriteComplete = 2, OperationDone = 3, Buffered = 4 };
struct Sample { VARIANT value; DATE time; };
struct Event {
    Kind kind; long server, item, quality; MXSTATUS_PROXY status; VARIANT value; DATE time; DWORD due; bool late; long type;
    std::vector<Sample> more;                       // of a buffered item's interval, `value` being the first
    Event(Kind k, long s, long i, long q, MXSTATUS_PROXY st) : kind(k), server(s), item(i), quality(q), status(st), time(0), due(0), late(false), type(0) { VariantInit(&value); }
};
enum Mode { None, UserAdvise, Supervisory };
struct Item {
    String name, context; bool buffered; Mode mode; bool resolved, suspended; Tag *tag; std::vector<long> element; int why;   // why: 0 found, else detail
    std::vector<Sample> waiting; DWORD flush_due;    // a buffered item's samples until its interval ends
};
struct Client { String name; std::map<long, Item> items; long next_item = 1, next_user = 1, interval = 100; std::map<long, User> users; };
class Server;

class Point final : public IConnectionPoint {
public:
    Server *owner; IID iid; std::map<DWORD, IDispatch *> sinks; DWORD next = 1;
    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID r, void **p) override
    {
        if (r == IID_IUnknown || r == IID_IConnectionPoint) { *p = static_cast<IConnectionPoint *>(this); AddRef(); return S_OK; }
        *p = nullptr; return E_NOINTERFACE;
    }
    ULONG STDMETHODCALLTYPE AddRef() override;
    ULONG STDMETHODCALLTYPE Release() override;
    HRESULT STDMETHODCALLTYPE GetConnectionInterface(IID *p) override { *p = iid; return S_OK; }
    HRESULT STDMETHODCALLTYPE GetConnectionPointContainer(IConnectionPointContainer **p) override;
    HRESULT STDMETHODCALLTYPE Advise(IUnknown *u, DWORD *cookie) override
    {
        IDispatch *d = nullptr;                       // as ATL does: the event interface itself, else IDispatch
        if (FAILED(u->QueryInterface(iid, (void **)&d)) && FAILED(u->QueryInterface(IID_IDispatch, (void **)&d))) return CONNECT_E_CANNOTCONNECT;
        *cookie = next++; sinks[*cookie] = d; return S_OK;
    }
    HRESULT STDMETHODCALLTYPE Unadvise(DWORD cookie) override
    {
        auto it = sinks.find(cookie);
        if (it == sinks.end()) return CONNECT_E_NOCONNECTION;
        IDispatch *d = it->second; sinks.erase(it); d->Release(); return S_OK;
    }
    HRESULT STDMETHODCALLTYPE EnumConnections(IEnumConnections **p) override { *p = nullptr; return E_NOTIMPL; }
    void invoke(DISPID id, std::vector<VARIANT> &args)
    {
        DISPPARAMS dp = {args.data(), nullptr, (UINT)args.size(), 0};
        auto copy = sinks;
        for (auto &s : copy) {
            s.second->AddRef();
            s.second->Invoke(id, IID_NULL, LOCALE_USER_DEFAULT, DISPATCH_METHOD, &dp, nullptr, nullptr, nullptr);
            s.second->Release();
        }
    }
};

class PointEnum final : public IEnumConnectionPoints {
    LONG refs = 1; std::vector<IConnectionPoint *> all; size_t at = 0;
public:
    explicit PointEnum(std::vector<IConnectionPoint *> v) : all(v) { for (auto p : all) p->AddRef(); }
    virtual ~PointEnum() { for (auto p : all) p->Release(); }
    HRESULT STDMETHODCALLTYPE QueryInterface(REFIID r, void **p) override
    {
        if (r == IID_IUnknown || r == IID_IEnumConnectionPoints) { *p = this; AddRef(); return S_OK; }
        *p = nullptr; return E_NOINTERFACE;
    }
    ULONG STDMETHODCALLTYPE AddRef() override { return InterlockedIncrement(&refs); }
    ULONG STDMETHODCALLTYPE Release() override { LONG n = InterlockedDecrement(&refs); if (!n) delete this; return n; }
    HRESULT STDMETHODCALLTYPE Next(ULONG n, IConnectionPoint **out, ULONG *got) override
    {
        ULONG k = 0;
        while (k < n && at < all.size()) { out[k] = all[at++]; out[k]->AddRef(); k++; }
        if (got) *got = k;
        return k == n ? S_OK : S_FALSE;
    }
    HRESULT STDMETHODCALLTYPE Skip(ULONG n) override { at += n; return at <= all.size() ? S_OK : S_FALSE; }
    HRESULT STDMETHODCALLTYPE Reset() override { at = 0; return S_OK; }
    HRESULT STDMETHODCALLTYPE Clone(IEnumConnectionPoints **p) override { *p = new PointEnum(all); return S_OK; }
};

static MXSTATUS_PROXY status(long category, long source, short detail)
{ return {(short)(category <= MxCategoryWarning && category >= 0 ? -1 : 0), (MxStatusCategory)category, (MxStatusSource)source, detail}; }
static const MXSTATUS_PROXY GOOD = {-1, MxCategoryOk, MxSourceRequestingLmx, 0};
