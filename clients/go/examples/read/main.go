// Command read reads one tag: read ENDPOINT CA_FILE [TAG], with the key in MXGATEWAY_API_KEY.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	mxgateway "mxaccess-gateway.example/clients/go"
)

func main() {
	ctx := context.Background()
	tag := "TestMachine_001.TestChangingInt"
	if len(os.Args) > 3 {
		tag = os.Args[3]
	}
	client, err := mxgateway.Connect(ctx, os.Args[1], mxgateway.WithAPIKey(os.Getenv("MXGATEWAY_API_KEY")), mxgateway.WithCAFile(os.Args[2]))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	session, err := client.OpenSession(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close(ctx)
	handle, err := session.Register(ctx, "example")
	if err != nil {
		log.Fatal(err)
	}
	results, err := session.ReadBulk(ctx, handle, []string{tag})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mxgateway.FromMxValue(results[0].GetValue()), mxgateway.QualityName(results[0].GetQuality()))
}
