// How events get out: what LMXProxy gathers on a thread of its own it hands over on the client's STA, through a window.
#pragma once
#include "connections.h"
class Delivery {
protected:
    virtual void keep() = 0;         // a reference to the COM object that this is part of
    virtual void let_go() = 0;
    virtual void take_news() = 0;    // what other processes have changed in the plant
    Point p1, p2;
    CRITICAL_SECTION cs;
    HANDLE wake, thread = nullptr; volatile bool stop = false, crash_thread = false;
    HWND window = nullptr; DWORD apartment;
    std::deque<Event> queue; std::vector<Event> timed; bool posted = false;
    std::map<long, Client> clients; long next_client = 1;
    struct Stream { long server, item; DWORD period, due; long left; int text; long n; Tag *tag; };
    std::vector<Stream> streams;
    struct Fault { String method; double seconds; long times; HRESULT hr; };
    std::map<String, Fault> faults;
    long dropping = 0, flooding = 0, lating = 0, batch, newest, statuses; bool crash_call = false, crash_event = false, inside = false, rpc_down = false, is_cold = true;
    String time_as, buffer_as; bool byref, local; Board board;

    static LRESULT CALLBACK proc(HWND h, UINT m, WPARAM w, LPARAM l)
    {
        if (m == WM_APP) { ((Delivery *)GetWindowLongPtrW(h, GWLP_USERDATA))->drain(); return 0; }
        if (m == WM_APP + 1) { ((Delivery *)GetWindowLongPtrW(h, GWLP_USERDATA))->take_news(); return 0; }
        return DefWindowProcW(h, m, w, l);
    }
    void post() { if (!posted) { posted = true; PostMessageW(window, WM_APP, 0, 0); } }
    void push(const Event &e, DWORD delay = 0)
    {
        if (inside && !delay && GetCurrentThreadId() == apartment) { Event c = e; fire(c); VariantClear(&c.value); return; }
        Guard g(cs);
        if (delay) { timed.push_back(e); timed.back().due = GetTickCount() + delay; SetEvent(wake); } else { queue.push_back(e); post(); }
    }
    void drain()                     // on the client's STA
    {
        keep();
        for (long i = 0; i < batch; i++) {
            Event e(DataChange, 0, 0, 0, GOOD);
            { Guard g(cs); if (queue.empty()) { posted = false; break; } e = queue.front(); queue.pop_front();
              if (i == batch - 1) PostMessageW(window, WM_APP, 0, 0); }
            fire(e); VariantClear(&e.value);
        }
        let_go();
    }
    void fire(Event &e)
    {
        if (crash_event) { crash_event = false; *(volatile int *)0 = 1; }
        Item *it = find(e.server, e.item);
        bool outcome = e.kind == WriteComplete || e.kind == OperationDone;
        if (!e.late && !it && !(outcome && !on(L"remove_drops_completions"))) return;
        if (!e.late && it && !outcome && it->mode == None) return;
        if (e.kind == DataChange && it && e.status.success && e.status.category == MxCategoryOk) it->resolved = true;
        if (outcome && dropping) { if (dropping > 0) dropping--; return; }
        long times = 1;
        if (e.kind == DataChange && flooding) { times += flooding; flooding = 0; }
        while (times--) fire_once(e);
    }
    bool by_reference(Event &e) { Item *it = find(e.server, e.item); return it && it->tag && it->tag->by_reference && it->element.empty() && e.value.vt != VT_EMPTY; }
    void fire_once(Event &e)
    {
        SAFEARRAYBOUND b = {(ULONG)statuses, 0};
        SAFEARRAY *st = SafeArrayCreateEx(VT_RECORD, 1, &b, g_record);
        MXSTATUS_PROXY *data; SafeArrayAccessData(st, (void **)&data);
        for (long k = 0; k < statuses; k++) { memset(data + k, 0xee, sizeof *data); memcpy(data + k, &e.status, 14); }    // as the product: 14 bytes, padding undefined
        SafeArrayUnaccessData(st);
        std::vector<VARIANT> a(e.kind == DataChange ? 6 : e.kind == Buffered ? 7 : 3);
        for (auto &v : a) VariantInit(&v);
        a[0].vt = VT_BYREF | VT_ARRAY | VT_RECORD; a[0].pparray = &st;
        size_t top = a.size() - 1;
        a[top].vt = VT_I4; a[top].lVal = e.server;
        a[top - 1].vt = VT_I4; a[top - 1].lVal = e.item;
        VARIANT time, quality; stamp(e.time, &time); VariantInit(&quality);
        quality.vt = VT_I4; quality.lVal = e.quality;
        if (e.kind == DataChange) {
            a[1] = time; a[2] = quality;
            if (byref) { a[3].vt = VT_BYREF | VT_VARIANT; a[3].pvarVal = &e.value; }
            else if (by_reference(e)) { a[3].vt = VT_BYREF | e.value.vt; a[3].byref = e.value.vt == VT_DECIMAL ? (void *)&e.value : (void *)&e.value.llVal; }
            else a[3] = e.value;
            p1.invoke(1, a);
        } else if (e.kind == Buffered) {
            VARIANT arrays[3]; VARIANT *single[3] = {&time, &quality, &e.value};
            bool as_array = (buffer_as == L"array" || !e.more.empty()) && !(e.value.vt & VT_ARRAY) && e.value.vt != VT_EMPTY;
            for (int k = 0; k < 3; k++) {
                VariantInit(&arrays[k]); VARIANT *s = single[k];
                if (!as_array) { a[1 + k] = *s; continue; }
                arrays[k].vt = VT_ARRAY | s->vt; arrays[k].parray = SafeArrayCreateVector(s->vt, 0, 1 + e.more.size());
                for (long n = 0; n <= (long)e.more.size(); n++) {
                    VARIANT v; VariantInit(&v); VARIANT *element = s;
                    if (n && k == 0) { stamp(e.more[n - 1].time, &v); element = &v; }
                    if (n && k == 2) element = &e.more[n - 1].value;
                    SafeArrayPutElement(arrays[k].parray, &n, payload(element)); VariantClear(&v);
                }
                a[1 + k] = arrays[k];
            }
            a[4].vt = VT_I4; a[4].lVal = e.type;
            p2.invoke(1, a);
            for (auto &v : arrays) VariantClear(&v);
            for (auto &m : e.more) VariantClear(&m.value);
        } else p1.invoke(e.kind, a);
        VariantClear(&time);
        SafeArrayDestroy(st);
    }
    void stamp(DATE d, VARIANT *v)
    {
        VariantInit(v);
        if (time_as == L"bstr") {
            SYSTEMTIME t; VariantTimeToSystemTime(d, &t); wchar_t buf[64];
            swprintf(buf, 64, L"%d/%d/%04d %d:%02d:%02d %ls", t.wMonth, t.wDay, t.wYear, (t.wHour + 11) % 12 + 1, t.wMinute, t.wSecond, t.wHour < 12 ? L"AM" : L"PM");
            v->vt = VT_BSTR; v->bstrVal = SysAllocString(buf);
        } else if (time_as == L"i8") { v->vt = VT_I8; v->llVal = (LONGLONG)((d + 109205.0) * 864000000000.0); }
        else { v->vt = VT_DATE; v->date = d; }
    }
    static DWORD WINAPI run(void *p) { ((Delivery *)p)->background(); return 0; }
    void background()
    {
        while (!stop) {
            DWORD wait = INFINITE, t = GetTickCount();
            bool busy = false;
            if (crash_thread) *(volatile int *)0 = 1;
            {
                Guard g(cs);
                for (size_t i = 0; i < timed.size();) {
                    LONG left = (LONG)(timed[i].due - t);
                    if (left <= 0) { queue.push_back(timed[i]); timed.erase(timed.begin() + i); post(); continue; }
                    if ((DWORD)left < wait) wait = left;
                    i++;
                }
                for (size_t i = 0; i < streams.size();) {
                    Stream &s = streams[i];
                    if (!s.left) { streams.erase(streams.begin() + i); continue; }
                    if (s.period) {
                        if ((LONG)(t - s.due) >= 0) { emit(s); s.due += s.period; }
                        DWORD w = (LONG)(s.due - t) > 0 ? s.due - t : 0;
                        if (w < wait) wait = w;
                    } else { while (s.left && queue.size() < 4096) emit(s); busy = true; }
                    i++;
                }
            }
            if (board.is_open()) { wait = wait < 50 ? wait : 50; PostMessageW(window, WM_APP + 1, 0, 0); }
            WaitForSingleObject(wake, busy ? 1 : wait);
        }
    }
    void emit(Stream &s)
    {
        Event e(DataChange, s.server, s.item, 192, GOOD); e.time = now_date(local);
        if (s.text) { String x(s.text, L'x'); e.value.vt = VT_BSTR; e.value.bstrVal = SysAllocString(x.c_str()); }
        else { e.value.vt = VT_I4; e.value.lVal = s.n; }
        s.n++; if (s.left > 0) s.left--;
        if (s.tag) {
            e.value.lVal = ++s.tag->value.lVal; e.type = s.tag->type; s.tag->time = now_date(local);
            auto it = find(s.server, s.item);
            if (it && it->suspended) { VariantClear(&e.value); return; }
            if (it && it->buffered) { e.kind = Buffered; if (on(L"buffered_batch") && !collect(*it, e)) return; }
        }
        queue.push_back(e); post();
    }
    // A sample that waits for the end of its interval; true when that is over, with the whole interval in the event.
    bool collect(Item &it, Event &e)
    {
        DWORD now = GetTickCount();
        it.waiting.push_back({e.value, e.time});
        if (it.flush_due && (LONG)(now - it.flush_due) < 0) return false;
        it.flush_due = now + clients[e.server].interval;
        e.value = it.waiting[0].value; e.time = it.waiting[0].time;
        e.more.assign(it.waiting.begin() + 1, it.waiting.end());
        it.waiting.clear();
        return true;
    }
    Item *find(long s, long i)
    {
        auto a = clients.find(s); if (a == clients.end()) return nullptr;
        auto b = a->second.items.find(i); return b == a->second.items.end() ? nullptr : &b->second;
    }
};
