// Command watch prints five changes of a tag, over any interruption: watch ENDPOINT CA_FILE [TAG].
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
	subscription, err := client.Subscribe(ctx, []string{tag})
	if err != nil {
		log.Fatal(err)
	}
	defer subscription.Close()
	count := 0
	for change, err := range subscription.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(change.Tag, change.Value, change.IsGood())
		if count++; count == 5 {
			return
		}
	}
}
