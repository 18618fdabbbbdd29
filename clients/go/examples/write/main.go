// Command write writes a number and waits for its confirmation: write ENDPOINT CA_FILE NUMBER [TAG].
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"

	mxgateway "mxaccess-gateway.example/clients/go"
)

func main() {
	ctx := context.Background()
	tag := "TestChildObject.TestInt"
	if len(os.Args) > 4 {
		tag = os.Args[4]
	}
	number, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
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
	outcome, err := session.WriteAndConfirm(ctx, tag, number)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcome.Tag, mxgateway.FromMxValue(outcome.Before.GetValue()), "->", mxgateway.FromMxValue(outcome.Value))
}
